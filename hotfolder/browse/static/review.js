// Rating, keeping, rejecting and making again, by keys and by buttons. Loaded only where the pages may write.
//
// A page offers a picture by an element with data-picture="<id>", data-rating and data-review; the one meant by a key is
// the one with data-current, else the one that has the focus. After a deed the element hears a bubbling event "reviewed"
// with {id, rating, review}.

import { make, post } from "./base.js";

const DEEDS = { k: "keep", x: "reject", u: "undo", 0: "rate", 1: "rate", 2: "rate", 3: "rate", 4: "rate", 5: "rate" };
const SHOWN_MS = 6000;

const said = make("p", { class: "said", role: "status", "aria-live": "polite" });
document.body.append(said);
const queues = new Map();
let fading;

function say(sentence, failed = false) {
  clearTimeout(fading);
  said.classList.toggle("failed", failed);
  said.textContent = sentence;
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

/** Do deeds on one picture one after the other, in the order in which they were asked for. */
function act(deed, element, stars) {
  const id = element.dataset.picture;
  const done = (queues.get(id) ?? Promise.resolve()).then(() => carryOut(deed, element, stars));
  queues.set(id, done);
  done.then(() => queues.get(id) === done && queues.delete(id));
}

async function carryOut(deed, element, stars) {
  const { picture: id, rating, review } = element.dataset;
  const values = { id };
  if (deed === "rate") values.rating = Number(rating) === stars ? 0 : stars;
  else if (deed === review) deed = "undo";
  try {
    const { says, ...state } = await post(`review/${deed}`, values);
    paint(id, state);
    say(says);
  } catch (error) {
    say(error instanceof TypeError ? "hotfolder browse does not answer: is it still running?" : error.message, true);
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-deed]");
  const element = button?.closest("[data-picture]");
  if (element) act(button.dataset.deed, element, Number(button.dataset.stars));
});

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || event.repeat || event.isComposing) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) return;
  const deed = DEEDS[event.key.toLowerCase()];
  const element = document.querySelector("[data-picture][data-current]") ?? event.target.closest("[data-picture]");
  if (!deed || !element) return;
  event.preventDefault();
  act(deed, element, Number(event.key));
});
