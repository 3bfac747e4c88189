"""Write what is generated in docs/: the pages, OpenAPI and the XSD."""

import argparse
import json
import sys
from pathlib import Path

from recontact.describe import api_md, errors_md, evidence_md, index_md, openapi, xsd_files

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def generated() -> dict[Path, str]:
    """The text of each generated file."""
    return {
        DOCS / "README.md": index_md(),
        DOCS / "api.md": api_md(),
        DOCS / "errors.md": errors_md(),
        DOCS / "evidence.md": evidence_md(),
        DOCS / "openapi.json": json.dumps(openapi(), indent=1, ensure_ascii=False) + "\n",
        **{DOCS / "xsd" / name: text for name, text in xsd_files().items()},
    }


def main() -> None:
    """Write the files, or with --check exit with 1 when one is stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when stale")
    wanted = generated()
    gone = set((DOCS / "xsd").glob("*.xsd")) - wanted.keys()
    stale = {
        path: text
        for path, text in wanted.items()
        if not path.is_file() or path.read_text("utf-8") != text
    }
    if parser.parse_args().check:
        if names := sorted(str(path.relative_to(ROOT)) for path in {*stale, *gone}):
            sys.exit(f"stale: {', '.join(names)}: make docs")
        return
    for path in gone:
        path.unlink()
    for path, text in stale.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    print(f"{len(wanted)} files: {len(stale)} written, {len(gone)} removed.")


if __name__ == "__main__":
    main()
