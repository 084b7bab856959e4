// The gallery: more pictures as one scrolls, search as one types, new pictures as they are made, keys, and what is chosen
// to compare. The server has rendered the first page; this fills its cells again and again.

import { address, ask, make, mayReview } from "./base.js";
import { markDays } from "./days.js";

const TYPING_MS = 180;
const LOOK_MS = 4000;
const UNSETTLED_MS = 15000; // after a deed of the review, until the service has taken note of it
const MOST = 8;
const MOST_RESTORED = 2000;
const MARKS = { keep: "kept", reject: "rejected" };

const [filters, grid, blank, nothing, button, fresh, told, help, compare, bar, count, go] = [
  "filters", "grid", "cell", "nothing", "more", "new", "told", "help", "compare", "chosen", "count", "go",
].map((id) => document.getElementById(id));
const search = filters.elements.q;
const cells = new Map(); // id -> its cell
const chosen = new Set(); // ids to compare
const reviewed = new Map(); // id -> when
let latest = 0; // number of the newest question: what answers an older one is dropped
let asking = new AbortController();
let loading = null;
let current = null;
let anchor = null; // the cell that was ticked last

function asked() {
  return Object.fromEntries([...new FormData(filters)].filter(([, value]) => value.trim()));
}

// ---- cells

function fill(cell, { id, kind, label, width, height, rating, review, created_at }) {
  Object.assign(cell.dataset, { picture: id, at: created_at });
  cell.style.setProperty("--ratio", height ? width / height : 1);
  const [link, image, box] = ["a", "img", "input"].map((name) => cell.querySelector(name));
  link.href = address(`picture/${encodeURIComponent(id)}`, asked()); // whose arrows lead through the same pictures
  link.title = label;
  Object.assign(image, { width, height, src: address(`thumb/${encodeURIComponent(id)}`) });
  cell.querySelector(".kind").textContent = kind;
  cell.querySelector(".words").textContent = label;
  box.value = id;
  box.setAttribute("aria-label", `Choose ${label}`);
  paint(cell, rating, review);
  return cell;
}

function paint(cell, rating, review) {
  Object.assign(cell.dataset, { rating: rating ?? "", review: review ?? "" });
  const number = Math.min(5, Math.max(0, Number(rating)));
  const stars = cell.querySelector(".stars");
  stars.hidden = !number;
  stars.textContent = "★".repeat(number);
  stars.setAttribute("aria-label", `${number} stars`);
  cell.querySelector(".mark").textContent = MARKS[review] ?? "";
}

function adopt(cell) {
  const { picture } = cell.dataset;
  cells.set(picture, cell);
  const box = cell.querySelector("input");
  box.checked ||= chosen.has(picture);
  if (box.checked) chosen.add(picture);
  for (const part of [cell.querySelector("a"), box]) part.tabIndex = cell === current ? 0 : -1;
  return cell;
}

function newCell(picture) {
  return adopt(fill(blank.content.firstElementChild.cloneNode(true), picture));
}

/** Newer first, and by id where two were made in the same millisecond, as the catalog has it. */
function isNewer(one, other) {
  return one.at !== other.at ? one.at > other.at : one.picture > other.picture;
}

function put(picture) {
  const cell = newCell(picture);
  grid.insertBefore(cell, [...grid.children].find((other) => isNewer(cell.dataset, other.dataset)) ?? null);
}

function drop(cell) {
  const next = cell.nextElementSibling ?? cell.previousElementSibling;
  const hadFocus = cell.contains(document.activeElement);
  cells.delete(cell.dataset.picture);
  cell.remove();
  if (cell === current) become(next);
  if (hadFocus) next?.querySelector("a").focus();
}

function lose(image) {
  image.replaceWith(make("span", { class: "lost" }, "file is missing"));
}

// ---- asking

function tell(after) {
  button.hidden = !after;
  button.value = after ?? "";
  nothing.hidden = cells.size > 0;
  document.getElementById("clear").hidden = !Object.keys(asked()).length;
  const one = cells.size === 1 && !after;
  told.textContent = cells.size ? `${cells.size}${after ? "+" : ""} ${one ? "picture" : "pictures"}` : "no picture";
  told.className = "quiet";
  markDays(grid.children);
}

function fail(error) {
  const silent = error instanceof TypeError; // of fetch: nothing answers at that address
  told.textContent = silent ? "hotfolder browse does not answer: is it still running?" : error.message;
  told.className = "bad";
}

/** Show what the filters ask for. `how`: pushState or replaceState, null where the address is right already. */
async function renew(how) {
  const mine = ++latest;
  asking.abort();
  asking = new AbortController();
  if (how) history[how]({}, "", address("gallery", asked()));
  grid.setAttribute("aria-busy", "true");
  try {
    const { pictures, after } = await ask("gallery.json", asked(), { signal: asking.signal });
    if (mine !== latest) return;
    cells.clear();
    current = null;
    grid.replaceChildren(...pictures.map(newCell));
    become(grid.firstElementChild);
    fresh.hidden = true;
    tell(after);
    watch();
  } catch (error) {
    if (mine === latest) fail(error);
  } finally {
    if (mine === latest) grid.removeAttribute("aria-busy");
  }
}

/** Add the next page; resolves to whether there was one. One at a time. */
async function more() {
  if (!button.value) return false;
  loading ??= (async () => {
    const mine = latest;
    try {
      const { pictures, after } = await ask("gallery.json", { ...asked(), after: button.value }, { signal: asking.signal });
      if (mine !== latest) return false;
      grid.append(...pictures.filter(({ id }) => !cells.has(id)).map(newCell));
      tell(after);
      watch();
      return true;
    } catch (error) {
      if (mine === latest) fail(error);
      return false;
    } finally {
      loading = null;
    }
  })();
  return loading;
}

/** Look for what has come, gone, or been reviewed elsewhere among the newest. */
async function look() {
  const mine = latest;
  if (document.hidden || loading || grid.hasAttribute("aria-busy")) return;
  try {
    const { pictures, after } = await ask("gallery.json", asked(), { signal: asking.signal });
    if (mine !== latest || loading) return;
    if (told.className === "bad") tell(button.value);
    const ids = new Set(pictures.map(({ id }) => id));
    const last = after && { at: pictures.at(-1).created_at, picture: pictures.at(-1).id };
    for (const cell of [...cells.values()])
      if (!ids.has(cell.dataset.picture) && (!last || isNewer(cell.dataset, last))) drop(cell);
    for (const { id, rating, review } of pictures)
      if (cells.has(id) && !(performance.now() - reviewed.get(id) < UNSETTLED_MS)) paint(cells.get(id), rating, review);
    const come = pictures.filter(({ id }) => !cells.has(id));
    const gap = come.length && come.length === pictures.length && after; // more than a page: begin anew
    if (come.length && scrollY > 200) {
      fresh.textContent = `${come.length}${gap ? " or more" : ""} new`;
      fresh.hidden = false;
    } else if (gap) {
      renew(null);
    } else {
      come.forEach(put);
      if (!current) become(grid.firstElementChild);
      fresh.hidden = true;
      tell(button.value || (cells.size < pictures.length ? after : ""));
    }
  } catch (error) {
    if (mine === latest) fail(error);
  }
}

// ---- where one is

function become(cell) {
  for (const [one, place] of [[current, -1], [cell, 0]])
    for (const part of one?.querySelectorAll("a, input") ?? []) part.tabIndex = place;
  current = cell;
}

/** The cell above (-1) or below (1): of the next row, the one nearest to the middle of this one. */
function across(cell, way) {
  const step = way < 0 ? "previousElementSibling" : "nextElementSibling";
  const middle = (one) => one.offsetLeft + one.offsetWidth / 2;
  let [other, best] = [cell[step], null];
  while (other && other.offsetTop === cell.offsetTop) other = other[step];
  for (const top = other?.offsetTop; other && other.offsetTop === top; other = other[step])
    if (!best || Math.abs(middle(other) - middle(cell)) < Math.abs(middle(best) - middle(cell))) best = other;
  return best;
}

async function move(key) {
  if (!current) return;
  const inGrid = grid.contains(document.activeElement);
  const beyond = { ArrowRight: !current.nextElementSibling, ArrowDown: !across(current, 1), End: true }[key];
  if (inGrid && beyond) await more();
  const to = {
    ArrowLeft: () => current.previousElementSibling,
    ArrowRight: () => current.nextElementSibling,
    ArrowUp: () => across(current, -1),
    ArrowDown: () => across(current, 1),
    Home: () => grid.firstElementChild,
    End: () => grid.lastElementChild,
  }[key]();
  (inGrid ? (to ?? current) : current).querySelector("a").focus();
}

// ---- what is chosen

function choose(cell, wanted) {
  const { picture } = cell.dataset;
  if (wanted && !mayReview && chosen.size >= MOST) told.textContent = `${MOST} pictures can be compared; take one away first.`;
  else if (wanted) chosen.add(picture);
  else chosen.delete(picture);
  cell.querySelector("input").checked = chosen.has(picture);
  anchor = cell;
  showChosen();
}

/** Choose all from the one that was ticked last to this one. */
function chooseTo(cell) {
  const [from, to] = [anchor, cell].map((one) => [...grid.children].indexOf(one)).sort((one, other) => one - other);
  if (from >= 0) for (const one of [...grid.children].slice(from, to + 1)) choose(one, true);
}

function showChosen() {
  bar.hidden = !chosen.size;
  const alone = mayReview ? "1 chosen" : "1 chosen; choose another";
  count.textContent = chosen.size === 1 ? alone : `${chosen.size} chosen`;
  go.disabled = !isComparable();
}

function isComparable() {
  return chosen.size > 1 && chosen.size <= MOST;
}

function chooseNone() {
  chosen.clear();
  for (const cell of cells.values()) cell.querySelector("input").checked = false;
  showChosen();
}

// ---- events

const observer = new IntersectionObserver(([seen]) => seen.isIntersecting && more(), { rootMargin: "3000px" });

/** Be told again where the end is: the observer speaks only of changes. */
function watch() {
  observer.unobserve(button);
  observer.observe(button);
}

let typing = 0;
let searched = search.value;
search.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    // one step back leads out of a search, not through each of its letters
    renew(Boolean(search.value.trim()) === Boolean(searched.trim()) ? "replaceState" : "pushState");
    searched = search.value;
  }, TYPING_MS);
});
document.addEventListener("change", ({ target }) => {
  if (target.form === filters && target !== search) renew("pushState");
});
filters.addEventListener("submit", (event) => {
  event.preventDefault();
  if (event.submitter === button) more();
  else renew("pushState");
});
addEventListener("popstate", () => {
  const words = new URLSearchParams(location.search);
  for (const field of filters.elements) {
    if (!field.name || field === button) continue;
    const value = words.get(field.name) ?? "";
    if (field.options && ![...field.options].some((option) => option.value === value)) field.add(new Option(value, value));
    field.value = value;
  }
  searched = search.value;
  renew(null);
});

grid.addEventListener("focusin", ({ target }) => become(target.closest(".cell")));
grid.addEventListener("change", ({ target }) => choose(target.closest(".cell"), target.checked));
grid.addEventListener("click", ({ target, shiftKey }) => {
  if (shiftKey && target.checked && anchor) chooseTo(target.closest(".cell"));
});
grid.addEventListener("error", ({ target }) => target.matches("img") && lose(target), true);
grid.addEventListener("reviewed", ({ target }) => {
  const cell = target.closest(".cell");
  reviewed.set(cell.dataset.picture, performance.now());
  paint(cell, cell.dataset.rating, cell.dataset.review);
});
fresh.addEventListener("click", async () => {
  scrollTo(0, 0);
  await look();
  grid.querySelector("a")?.focus({ preventScroll: true });
});
compare.addEventListener("submit", (event) => {
  event.preventDefault();
  if (isComparable()) location.assign(`${address("compare")}?${new URLSearchParams([...chosen].map((id) => ["id", id]))}`);
});
document.getElementById("none").addEventListener("click", chooseNone);
document.addEventListener("decided", chooseNone);
document.getElementById("keys").addEventListener("click", () => help.showModal());

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || help.open) return;
  const { key, target } = event;
  const field = target.closest("input:not([type=checkbox]), select, textarea");
  if (key === "Escape" && (field || chosen.size)) {
    if (field) field.blur();
    else chooseNone();
  } else if (field) {
    return;
  } else if (/^(Arrow(Left|Right|Up|Down)|Home|End)$/.test(key) && !event.shiftKey) {
    event.preventDefault();
    move(key);
  } else if (key === "c" && grid.contains(document.activeElement)) {
    choose(current, !chosen.has(current.dataset.picture));
  } else if (key === "C" && isComparable()) {
    compare.requestSubmit();
  } else if (key === "/") {
    event.preventDefault();
    search.focus();
  } else if (key === "?") {
    help.showModal();
  }
});

// ---- the beginning: what the server rendered, and as far as one had scrolled before going to a picture and back

async function begin() {
  for (const cell of grid.children) {
    adopt(cell);
    const image = cell.querySelector("img");
    if (image?.complete && image.getAttribute("src") && !image.naturalWidth) lose(image);
  }
  become(grid.firstElementChild);
  document.getElementById("show").hidden = true;
  document.getElementById("keys").hidden = false;
  showChosen();
  tell(button.value);
  const { size = 0, top = 0, at } = history.state ?? {};
  while (cells.size < Math.min(size, MOST_RESTORED) && (await more()));
  if (size && cells.has(at)) {
    become(cells.get(at));
    current.querySelector("a").focus({ preventScroll: true });
    scrollTo(0, top);
  } else if (!size && location.hash) {
    await goTo(decodeURIComponent(location.hash.slice(1)));
  }
  watch();
}

/** Go to the picture that one comes from, or the next older one: as the catalog has its place, "<made>~<id>". */
async function goTo(place) {
  const [at, picture] = place.split("~");
  const isPast = (cell) => cell && !isNewer(cell.dataset, { at, picture });
  while (!isPast(grid.lastElementChild) && cells.size < MOST_RESTORED && (await more()));
  const cell = [...grid.children].find(isPast) ?? grid.lastElementChild;
  cell?.querySelector("a").focus({ preventScroll: true });
  cell?.scrollIntoView({ block: "center" });
  history.replaceState(history.state, "", address("gallery", asked()));
}

addEventListener("pagehide", () => {
  history.replaceState({ size: cells.size, top: scrollY, at: current?.dataset.picture }, "");
});
document.addEventListener("visibilitychange", look);
setInterval(look, LOOK_MS);
begin();
