"""Real disks for tests, there for as long as a test needs them."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def step_aside_without_root() -> None:
    """Skip the test where nothing can be mounted; in CI only that of the power cut may be."""
    if os.geteuid():
        pytest.skip("it mounts a disk, which needs root")


@contextmanager
def mounted(folder: Path, *how: str) -> Iterator[Path]:
    """A disk on that folder, which is made if need be; gone at the end whatever happened to it."""
    step_aside_without_root()
    folder.mkdir(exist_ok=True)
    done = subprocess.run(["mount", *how, str(folder)], capture_output=True, text=True)
    if any(why in done.stderr for why in ("permission denied", "failed to setup loop device")):
        pytest.skip(f"it mounts a disk, which is not allowed here: {done.stderr}")
    assert done.returncode == 0, done.stderr
    try:
        yield folder
    finally:
        # Lazily: what a failed test left open must not keep it here, and its loop device with it.
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


def make_ext4(image: Path, *how: str) -> Path:
    """A new file system of 256 MB in a file, which takes little until it is used."""
    step_aside_without_root()
    with image.open("wb") as file:
        file.truncate(256 * 1024 * 1024)
    subprocess.run(["mkfs.ext4", "-q", *how, str(image)], check=True)
    return image


def copied(template: Path, disk: Path) -> Path:
    """A database on a disk, a copy of this one, that no failure of power or disk takes away."""
    database = Path(shutil.copy(template, disk / "recontact.db"))
    with database.open("rb+") as file:
        os.fsync(file.fileno())
    return database
