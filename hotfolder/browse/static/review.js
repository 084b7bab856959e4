// Rating, keeping, rejecting and making again, by keys and by buttons. Loaded only where the pages may write.
//
// A page offers a picture by an element with data-picture="<id>", data-rating and data-review; the one meant by a key is
// the one with data-current, else the one that has the focus. After a deed the element hears a bubbling event "reviewed"
// with {id, rating, review}. Where a link #older leads on, keeping and rejecting do so too: one key for each picture.
// A button with data-all acts on many, see MANY, and the document then hears "decided".

import { make, post } from "./base.js";

const DEEDS = { k: "keep", x: "reject", u: "undo", 0: "rate", 1: "rate", 2: "rate", 3: "rate", 4: "rate", 5: "rate" };
const MANY = {
  chosen: "[data-picture]:has(input:checked)",
  rest: '[data-picture]:not([data-review="keep"])',
};
const SHOWN_MS = 6000;
const BEFORE = "hotfolder-reviewed"; // {id, says, href} of the picture that was decided on the page before

const said = make("p", { class: "said", role: "status", "aria-live": "polite" });
document.body.append(said);
const queues = new Map();
let fading;
let leaving = false;
let before = null;

function say(sentence, failed = false, button = null) {
  clearTimeout(fading);
  said.classList.toggle("failed", failed);
  said.replaceChildren(sentence, ...(button ? [" ", button] : []));
  fading = setTimeout(() => said.replaceChildren(), failed ? 2 * SHOWN_MS : SHOWN_MS);
}

function all(id) {
  return document.querySelectorAll(`[data-picture="${CSS.escape(id)}"]`);
}

function paint(id, { rating, review }) {
  for (const element of all(id)) {
    if (rating !== undefined) element.dataset.rating = rating ?? "";
    if (review !== undefined) element.dataset.review = review ?? "";
    for (const button of element.querySelectorAll("button[data-deed]")) {
      const { deed, stars } = button.dataset;
      if (deed === "rate") button.setAttribute("aria-pressed", Number(element.dataset.rating) >= Number(stars));
      if (deed === "keep" || deed === "reject") button.setAttribute("aria-pressed", element.dataset.review === deed);
    }
    element.dispatchEvent(new CustomEvent("reviewed", { bubbles: true, detail: { id, rating, review } }));
  }
}

/** Do deeds on one picture one after the other, in the order in which they were asked for. A button that is pressed in
 * `turns` back what it did; a key, which may be pressed once too often, does not. */
function act(deed, element, stars, turns) {
  const id = element.dataset.picture;
  const done = (queues.get(id) ?? Promise.resolve()).then(() => carryOut(deed, element, stars, turns));
  queues.set(id, done);
  done.then(() => queues.get(id) === done && queues.delete(id));
  return done;
}

/** Do a deed on many pictures, and say it of all of them. */
async function actOnAll(deed, elements) {
  const faults = await Promise.all(elements.map((element) => act(deed, element, 0, false)));
  document.dispatchEvent(new CustomEvent("decided"));
  const fault = faults.find(Boolean);
  const [count, failed] = [faults.length, faults.filter(Boolean).length];
  if (count < 2) return;
  if (fault) return say(`${failed} of ${count} pictures: ${fault}`, true);
  if (deed === "undo") return say(`${count} pictures are back.`);
  say(`${count} pictures lie in ${deed}/ now.`, false, undoing(() => actOnAll("undo", elements)));
}

function undoing(undo) {
  const button = make("button", { type: "button" }, "Undo");
  button.addEventListener("click", undo);
  return button;
}

/** Resolves to what went wrong, if anything did. */
async function carryOut(deed, element, stars, turns) {
  if (leaving) return null;
  if (deed === "undo" && before) return takeBack();
  const { picture: id, rating, review } = element.dataset;
  const values = { id };
  if (deed === "rate") values.rating = Number(rating) === stars ? 0 : stars;
  else if (turns && deed === review) deed = "undo";
  before = null;
  try {
    const { says, ...state } = await post(`review/${deed}`, values);
    paint(id, state);
    say(says);
    if (state.review) goOn({ id, says, href: location.href });
    return null;
  } catch (error) {
    return fail(error);
  }
}

function fail(error) {
  const sentence = error instanceof TypeError ? "hotfolder browse does not answer: is it still running?" : error.message;
  say(sentence, true);
  return sentence;
}

/** After the decision on a picture to the next one, which says what was decided. */
function goOn(decided) {
  const next = document.getElementById("older");
  if (!next && document.getElementById("back")) say(`${decided.says} There is no older picture.`);
  if (!next) return;
  leaving = true;
  sessionStorage.setItem(BEFORE, JSON.stringify(decided));
  location.assign(next.href);
}

/** Undo the decision on the picture before, and go back to it. */
async function takeBack() {
  const { id, href } = before;
  try {
    await post("review/undo", { id });
    leaving = true;
    location.assign(href);
    return null;
  } catch (error) {
    return fail(error);
  }
}

/** Say what was decided on the page before, once. */
function begin() {
  before = document.getElementById("back") && JSON.parse(sessionStorage.getItem(BEFORE));
  sessionStorage.removeItem(BEFORE);
  if (before) say(before.says, false, undoing(takeBack));
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-deed]");
  const element = button?.closest("[data-picture]");
  const all = button && MANY[button.dataset.all];
  if (all) actOnAll(button.dataset.deed, [...document.querySelectorAll(all)]);
  else if (element) act(button.dataset.deed, element, Number(button.dataset.stars), true);
});

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || event.repeat || event.isComposing) return;
  if (event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]")) return;
  const deed = DEEDS[event.key.toLowerCase()];
  const element = document.querySelector("[data-picture][data-current]") ?? event.target.closest("[data-picture]");
  if (!deed || !element) return;
  event.preventDefault();
  act(deed, element, Number(event.key), false);
});

addEventListener("pageshow", ({ persisted }) => {
  leaving = false;
  if (persisted) before = null;
});
begin();
