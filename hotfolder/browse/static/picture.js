// The page of one picture: its true size, the slider between before and after, what was found, keys.

import "./copying.js";

const show = document.querySelector(".show");
const stage = document.querySelector(".stage");
const frame = document.querySelector(".frame");
const fit = document.getElementById("fit");
const compare = document.getElementById("compare");
const boxes = document.getElementById("boxes");
const before = document.getElementById("before");
const slide = document.getElementById("slide");
const range = slide?.querySelector("input");

/** Switch between the size that fits and the true one; of that, show the place (parts of the frame) that was clicked. */
function turnSize(across = 0.5, down = 0.5) {
  const isTrue = stage.classList.toggle("true");
  frame.style.setProperty("--dots", devicePixelRatio);
  fit.setAttribute("aria-pressed", isTrue);
  if (isTrue) stage.tabIndex = 0;
  else stage.tabIndex = -1;
  stage.scrollLeft = across * stage.scrollWidth - stage.clientWidth / 2;
  stage.scrollTop = down * stage.scrollHeight - stage.clientHeight / 2;
}

function isSliding() {
  return show.classList.contains("sliding");
}

/** Paint the slider: before is seen left of it, after right of it. */
function paint() {
  const at = Number(range.value);
  const left = parseFloat(before.style.left);
  const width = parseFloat(before.style.width);
  frame.style.setProperty("--at", at);
  before.style.setProperty("--cut", Math.min(100, Math.max(0, 100 - ((at - left) / width) * 100)));
  range.setAttribute("aria-valuetext", `${at} % before`);
}

function turnComparison() {
  const on = show.classList.toggle("sliding");
  compare.setAttribute("aria-pressed", on);
  if (on) before.src ||= before.dataset.src;
  for (const element of [before, slide, document.getElementById("line")]) element.classList.toggle("hidden", !on);
  paint();
}

function slideTo(event) {
  const { left, width } = frame.getBoundingClientRect();
  range.value = Math.round(((event.clientX - left) / width) * 100);
  paint();
}

if (fit) {
  fit.classList.remove("hidden");
  fit.addEventListener("click", () => turnSize());
  frame.addEventListener("click", (event) => {
    if (isSliding()) return;
    const { left, top, width, height } = frame.getBoundingClientRect();
    turnSize((event.clientX - left) / width, (event.clientY - top) / height);
  });
}

if (compare) {
  compare.classList.remove("hidden");
  compare.addEventListener("click", turnComparison);
  range.addEventListener("input", paint);
  before.addEventListener("error", () => {
    if (isSliding()) turnComparison();
    compare.remove();
  });
  frame.addEventListener("dragstart", (event) => event.preventDefault());
  frame.addEventListener("pointerdown", (event) => {
    if (!isSliding() || event.button !== 0) return;
    frame.setPointerCapture(event.pointerId);
    slideTo(event);
  });
  frame.addEventListener("pointermove", (event) => {
    if (isSliding() && frame.hasPointerCapture(event.pointerId)) slideTo(event);
  });
  if (compare.dataset.begins) turnComparison();
}

function turnBoxes() {
  const hidden = document.querySelector(".boxes").classList.toggle("hidden");
  boxes.setAttribute("aria-pressed", !hidden);
}

if (boxes) {
  boxes.classList.remove("hidden");
  boxes.addEventListener("click", turnBoxes);
}

/** Go where a link of the page leads; false where it is not there. */
function follow(id) {
  const link = document.getElementById(id);
  if (link) location.assign(link.href);
  return Boolean(link);
}

const KEYS = {
  ArrowLeft: () => follow("newer"),
  ArrowRight: () => follow("older"),
  Escape: () => follow("back"),
  f: () => fit && (turnSize(), true),
  b: () => compare?.isConnected && (turnComparison(), true),
  d: () => boxes && (turnBoxes(), true),
};

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
  if (event.target.closest("input, textarea, select")) return;
  // at its true size the arrows scroll the picture that has the focus
  if (event.key.startsWith("Arrow") && event.target.closest(".stage.true, pre, .scroll")) return;
  if (KEYS[event.key]?.()) event.preventDefault();
});

/** What a deed of the review changed is said among the parameters too. */
document.addEventListener("reviewed", (event) => {
  const { rating, review } = event.detail;
  const words = { keep: "kept", reject: "rejected" };
  const facts = document.querySelector(".facts");
  for (const [name, label, text] of [
    ["rating", "Rating", rating === undefined ? undefined : "★".repeat(rating ?? 0) + "☆".repeat(rating ? 5 - rating : 0)],
    ["review", "Review", review === undefined ? undefined : (words[review] ?? "")],
  ]) {
    if (text === undefined) continue;
    let fact = facts.querySelector(`[data-fact="${name}"]`);
    if (!fact) {
      const term = document.createElement("dt");
      term.textContent = label;
      fact = document.createElement("dd");
      fact.dataset.fact = name;
      facts.append(term, fact);
    }
    fact.textContent = text || "none";
  }
});
