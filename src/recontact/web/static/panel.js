// The panel works without this file. It adds keys, and what saves a step.
const typing = (element) =>
  element.matches("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");

// Keys of the page in view: a page's own script may add to them. Two keys, one after the other, stand
// as "g q".
export const keys = {
  "/": () => document.querySelector("#find")?.select(),
  z: () => document.querySelector(".undo")?.click(),
  Z: () => document.querySelector(".redo")?.click(), // never z: twice pressed is not back again
};
for (const link of document.querySelectorAll("[data-key]")) {
  keys[`g ${link.dataset.key}`] = () => link.click();
}

let first = "";
document.addEventListener("keydown", (event) => {
  if (typing(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.querySelector("dialog[open]")) return;
  if (event.repeat && !"jk".includes(event.key)) return; // one key held is not many rows done
  const pressed = first ? `${first} ${event.key}` : event.key;
  first = !first && event.key === "g" ? "g" : "";
  if (!keys[pressed]) return;
  event.preventDefault();
  keys[pressed]();
});

// A menu closes as others do.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && event.target.closest("details.menu[open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});

// What is to be pasted elsewhere.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const from = document.getElementById(button.dataset.copy);
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(from.value ?? from.textContent);
  } else { // browsers hide it from pages that came by plain http
    if (from.select) from.select();
    else getSelection().selectAllChildren(from);
    document.execCommand("copy");
  }
  button.textContent = "Copied";
});

// A list: its row is where the focus is, or was last, and its name there is the first link.
const rows = () => [...document.querySelectorAll("[data-rows] > *")];
const nameIn = (row) => row?.querySelector("a");
let last = null;
document.addEventListener("focusin", (event) => {
  last = event.target.closest("[data-rows] > *") ?? last;
});
const step = (by) => {
  const all = rows();
  const at = all.indexOf(last);
  nameIn(all[at < 0 ? 0 : Math.min(Math.max(at + by, 0), all.length - 1)]).focus();
};
const isList = rows().length > 0;
if (isList) Object.assign(keys, { j: () => step(1), k: () => step(-1) });

// The queue. bulk: what is done to rows, where there are some and the person may.
const queue = document.querySelector("form.queue");
const bulk = queue?.querySelector(".bulk");
const ticks = () => [...document.querySelectorAll(".queue tbody [type=checkbox]")];
// The next page of a list stands where this one was scrolled to, with the row in view.
const path = () => location.pathname + location.search;
document.addEventListener("submit", () => {
  sessionStorage.setItem("scrolled", JSON.stringify([path(), scrollY]));
});
const row = location.hash.startsWith("#log-") && document.getElementById(location.hash.slice(1));
if (row) {
  const [where, to] = JSON.parse(sessionStorage.getItem("scrolled") ?? "[]");
  if (where === path()) scrollTo(0, to);
  history.replaceState(null, "", path()); // or the browser scrolls the row to the top yet
  row.focus({ preventScroll: true });
  row.closest("tr").scrollIntoView({ block: "nearest" });
}
// On a phone the rows are grids, and some browsers then forget that this is a table.
const roles = { TABLE: "table", THEAD: "rowgroup", TBODY: "rowgroup", TR: "row", TD: "cell" };
for (const one of queue?.querySelectorAll("table, table *") ?? []) {
  const heading = { col: "columnheader", row: "rowheader" }[one.scope];
  const role = heading ?? roles[one.tagName];
  if (role) one.setAttribute("role", role);
}
const chosen = () => ticks().some((tick) => tick.checked) || bulk.classList.contains("always");

// A menu: at the foot for the rows that are chosen; for one it opens in its row.
const menus = [...(bulk?.querySelectorAll("details.up") ?? [])];
const atFoot = new Map(menus.map((menu) => [menu, document.createComment("")]));
for (const [menu, place] of atFoot) menu.before(place);
const one = queue?.elements.one;
let ofServer = one?.value; // without scripts it is the page that says which one
const takeBack = (menu) => {
  if (!menu.closest("tr")) return;
  menu.open = false;
  one.value = ofServer;
  atFoot.get(menu).after(menu);
};
const openMenu = (id, row) => {
  const menu = document.getElementById(id);
  if (!menu || (!row && !chosen())) return;
  menus.forEach(takeBack);
  if (row) {
    row.lastElementChild.append(menu);
    one.value = row.querySelector("[name=log]").value;
    menu.lastElementChild.dataset.of = nameIn(row).textContent; // a phone shows it in place of the row
  }
  menu.open = true;
  typed = "";
  const below = innerHeight - bulk.parentElement.offsetHeight - menu.lastElementChild.offsetHeight;
  menu.classList.toggle("over", Boolean(row) && row.getBoundingClientRect().bottom > below);
  (menu.querySelector("[value=tomorrow]") ?? menu.querySelector("button")).focus();
};
for (const menu of menus) {
  menu.addEventListener("toggle", () => menu.open || takeBack(menu));
}
const actOn = (name) => {
  if (chosen()) queue.querySelector(`.bulk > [value=${name}]`)?.click();
  else last?.querySelector(`[name=${name}]`)?.click();
};
// The page of a link, with the focus where it is.
const go = (link) => {
  if (last) link.hash = nameIn(last).id;
  link.click();
};
const chooseAll = () => {
  if (chosen()) go(bulk.querySelector(".clear"));
  else if (bulk.querySelector(".all")) go(bulk.querySelector(".all"));
  else queue.elements.page.click(); // this page has them all
};
if (bulk) {
  Object.assign(keys, {
    x: () => last?.querySelector("[type=checkbox]")?.click(),
    X: () => reach(last?.querySelector("[type=checkbox]")),
    "*": chooseAll,
    e: () => actOn(queue.querySelector("[value=reopen], [name=reopen]") ? "reopen" : "done"),
    s: () => openMenu("move", chosen() ? null : last),
    a: () => openMenu("assign", chosen() ? null : last),
    c: () => {
      const link = nameIn(last);
      if (link) location.href = `${link.href}#said`;
    },
  });
}
keys.n = () => document.querySelector("[data-new]")?.click();

// One tick with Shift reaches from the one before to this one.
let before = null;
const reach = (tick) => {
  if (!tick) return;
  const all = ticks();
  const ends = [all.indexOf(before ?? tick), all.indexOf(tick)].sort((a, b) => a - b);
  for (const one of all.slice(ends[0], ends[1] + 1)) one.checked = true;
  before = tick;
};
queue?.addEventListener("click", (event) => {
  const tick = event.target.closest("tbody [type=checkbox]");
  if (tick && event.shiftKey && before) {
    for (const one of [tick, before]) one.checked = tick.checked;
    const all = ticks();
    const ends = [all.indexOf(before), all.indexOf(tick)].sort((a, b) => a - b);
    for (const one of all.slice(ends[0], ends[1] + 1)) one.checked = tick.checked;
  }
  if (tick) before = tick;
  if (tick && ofServer) {
    one.value = ofServer = "";
    bulk.classList.remove("always");
  }
  if (event.target.name === "page") {
    for (const one of ticks()) one.checked = event.target.checked;
  } else if (tick && queue.elements.page) {
    queue.elements.page.checked = ticks().every((one) => one.checked);
  }
  const opens = event.target.closest("td > div > :is([name=move], [name=assign])");
  if (opens) {
    event.preventDefault();
    setTimeout(() => openMenu(opens.name, opens.closest("tr"))); // after this click closed others
  }
  const clear = event.target.closest(".clear");
  if (clear && !bulk.classList.contains("always")) {
    event.preventDefault();
    for (const tick of [...ticks(), queue.elements.page]) tick.checked = false;
    nameIn(last)?.focus();
  }
});
// In a menu the arrows and the first letters of its words lead to them, and no key of a row acts.
// Letters that begin none of them begin a name: Enter must not take what stood in focus for it.
let typed = "";
queue?.addEventListener("keydown", (event) => {
  const menu = event.target.closest("details.up[open]");
  const items = [...(menu?.querySelectorAll(".item") ?? [])];
  if (!items.length || typing(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
  const at = items.indexOf(event.target);
  const onwards = [...items.slice(at + 1), ...items.slice(0, at + 1)];
  const begins = (item, text) => item.textContent.replace(/^\W+/, "").toLowerCase().startsWith(text.toLowerCase());
  let to = null;
  if (event.key === "ArrowDown") to = onwards[0];
  else if (event.key === "ArrowUp") to = items.at(at < 0 ? -1 : at - 1);
  else if (event.key.length === 1 && event.key !== " ") {
    const name = menu.querySelector("input[name=name]");
    typed = name ? typed + event.key : event.key;
    to = (name ? items : onwards).find((item) => begins(item, typed)) ?? event.target;
    if (name && !begins(to, typed)) {
      name.value = typed.slice(0, -1);
      name.focus(); // and the letter goes there
      event.stopPropagation();
      return;
    }
  }
  if (!to) return;
  to.focus();
  event.preventDefault();
  event.stopPropagation();
});
// Enter in a field of a menu does what its button does; on a tick it opens the log.
queue?.addEventListener("keydown", (event) => {
  const menu = event.target.closest(".up");
  if (event.key === "Escape" && menu?.closest("tr")) {
    takeBack(menu);
    nameIn(last).focus();
    event.stopPropagation();
  }
  if (event.key !== "Enter" || event.target.tagName !== "INPUT") return;
  event.preventDefault();
  const row = event.target.closest("tbody tr");
  if (row && !menu) nameIn(row).click();
  else event.target.closest("p")?.querySelector("button")?.click();
});
queue?.addEventListener("submit", (event) => {
  const row = event.submitter?.closest("td > div")?.closest("tr");
  if (row?.classList.contains("leaving")) event.preventDefault(); // it is on its way
  row?.classList.add("leaving");
});
document.querySelector(".said form")?.addEventListener("submit", (event) => {
  const { then } = event.target.elements;
  if (then && queue && last) then.value += `#${nameIn(last).id}`;
});
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const row of document.querySelectorAll(".leaving")) row.classList.remove("leaving");
});

// Filters apply as they are chosen; the focus comes back to the one that was, and an address has
// no more than it needs.
const filters = document.querySelector("[data-filter]");
filters?.addEventListener("change", (event) => {
  if (event.target.tagName !== "SELECT") return;
  const [path] = filters.getAttribute("action").split("#"); // a field may be named action
  filters.setAttribute("action", `${path}#${event.target.id}`);
  filters.requestSubmit();
});
filters?.addEventListener("submit", () => {
  for (const field of filters.elements) field.disabled = field.name && !field.value;
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-print]")) print();
  if (event.target.closest("[data-keys]")) keys["?"]();
});
// What ? shows: keys, what they do, and whether they do it on this page.
const list = () => [
  ["j k", "Next and previous row", isList],
  ["Enter", "Open the row", isList],
  ["x", "Choose the row; with Shift up to here", bulk],
  ["*", "Choose all that match, or none", bulk],
  ["e", "Done", bulk],
  ["s", "Move to another day; Enter: tomorrow", bulk],
  ["a", "Assign; Enter: to me", bulk],
  ["c", "Log a contact", bulk],
  ["n", "New log", document.querySelector("[data-new]")],
  ["j k", "Next and previous log of the queue", beside],
  ["c", "What happened?", log],
  ["e", "Set the status to Completed", log],
  ["s", "Choose the next day", log],
  ["a", "Choose whom it is allocated to", log],
  ["Ctrl Enter", "Save, and on to the next", log],
  ["Escape", "Leave a field", log],
  ["z", "Undo what was just done", true],
  ["Shift Z", "Redo what was just undone", true],
  ["/", "Find", true],
  ...[...document.querySelectorAll("nav [data-key]")].map((link) => [
    `g ${link.dataset.key}`,
    link.textContent,
    true,
  ]),
  ["?", "This list", true],
].filter(([, , works]) => works);
keys["?"] = () => {
  let box = document.querySelector(".keyboard");
  if (!box) {
    box = document.createElement("dialog");
    box.className = "keyboard";
    box.setAttribute("aria-label", "Keyboard");
    const head = document.createElement("h2");
    head.textContent = "Keyboard";
    const terms = document.createElement("dl");
    for (const [key, does] of list()) {
      const term = document.createElement("dt");
      for (const part of key.split(" ")) {
        const cap = document.createElement("kbd");
        cap.textContent = part;
        term.append(cap, " ");
      }
      const told = document.createElement("dd");
      told.textContent = does;
      terms.append(term, told);
    }
    const form = document.createElement("form");
    form.method = "dialog";
    const close = document.createElement("button");
    close.className = "button";
    close.textContent = "Close";
    form.append(close);
    box.append(head, terms, form);
    document.body.append(box);
  }
  box.showModal();
};

// A log: keys lead to the logs beside it in the list that it was opened from, and to its fields.
const beside = document.querySelector(".trail a[rel]");
if (beside) {
  keys.j = () => document.querySelector(".trail [rel=next]")?.click();
  keys.k = () => document.querySelector(".trail [rel=prev]")?.click();
}
const log = document.querySelector("form#log");
if (log) {
  const { said, status, who } = log.elements;
  const write = () => {
    said.focus({ preventScroll: true });
    said.scrollIntoView({ block: "nearest" }); // with who it is: see scroll-margin
  };
  Object.assign(keys, {
    c: write,
    e: () => {
      status.value = "Completed";
      status.dispatchEvent(new Event("input", { bubbles: true }));
      status.focus();
    },
    s: () => log.querySelector("[name=next]:checked").focus(),
    a: () => who.focus(),
  });
  if (location.hash === "#said") {
    said.focus({ preventScroll: true });
    for (const key of document.querySelectorAll(".said kbd")) key.prepend("Esc "); // out of the field
  }
  // What is written there and not saved is not lost to a key: the browser asks.
  const ask = (event) => event.preventDefault();
  const guard = () => addEventListener("beforeunload", ask);
  if ("unsaved" in log.dataset) guard(); // refused, or filled in before a login
  log.addEventListener("input", guard);
  log.addEventListener("submit", () => removeEventListener("beforeunload", ask));
}
// Ctrl and Enter save; a day that is filled in is the one that is meant; Escape leaves a field, so
// that the keys work again.
document.addEventListener("keydown", (event) => {
  const form = event.target.form ?? event.target.closest("form");
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    const button = document.querySelector("[aria-keyshortcuts='Control+Enter']");
    if (!button || (form && form !== button.form)) return;
    event.preventDefault();
    button.click();
  } else if (event.key === "Escape" && event.target.closest("#log") && typing(event.target)) {
    event.target.blur();
  }
});
document.addEventListener("input", (event) => {
  if (!event.target.matches("#day, #time")) return;
  event.target.form.querySelector("[name=next][value=date]").checked = true;
});
document.querySelector(":is(input, select, textarea)[aria-invalid=true]")?.focus();
