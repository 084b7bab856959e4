// Zoom and pan of all pictures together: wheel, drag, two fingers, keys.

const MOST = 32;
const STEP = 1.25;
const PAN = 0.1;
const grid = document.querySelector(".pictures");
const shown = document.getElementById("scale");
const held = new Map();
let scale = 1;
let x = 0;
let y = 0;

/** Show all pictures at one scale and shift (parts of a view), kept where something is to be seen. */
function paint() {
  const far = (scale - 1) / 2;
  x = Math.min(far, Math.max(-far, x));
  y = Math.min(far, Math.max(-far, y));
  for (const [name, value] of Object.entries({ scale, x, y })) grid.style.setProperty(`--${name}`, value);
  grid.classList.toggle("zoomed", scale > 1);
  grid.classList.toggle("near", scale >= 6);
  shown.textContent = scale === 1 ? "fits" : `× ${scale.toFixed(1)}`;
}

/** Zoom so that the point (parts of a view, from its middle) stays where it is. */
function zoom(factor, across = 0, down = 0) {
  const next = Math.min(MOST, Math.max(1, scale * factor));
  x = across - ((across - x) * next) / scale;
  y = down - ((down - y) * next) / scale;
  scale = next;
  paint();
}

function reset() {
  [scale, x, y] = [1, 0, 0];
  paint();
}

/** Where in a view something is, in parts of it from its middle. */
function within(view, { clientX, clientY }) {
  const { left, top, width, height } = view.getBoundingClientRect();
  return [(clientX - left) / width - 0.5, (clientY - top) / height - 0.5];
}

const DEEDS = { in: () => zoom(STEP), out: () => zoom(1 / STEP), reset };
document.querySelector(".zoom").classList.remove("hidden");
document.querySelector(".zoom").addEventListener("click", (event) => DEEDS[event.target.closest("button")?.dataset.zoom]?.());

grid.addEventListener(
  "wheel",
  (event) => {
    const view = event.target.closest(".view");
    if (!view || (scale === 1 && event.deltaY > 0)) return;
    event.preventDefault();
    zoom(Math.exp(-Math.sign(event.deltaY) * Math.min(0.4, Math.abs(event.deltaY) / 300)), ...within(view, event));
  },
  { passive: false },
);

grid.addEventListener("pointerdown", (event) => {
  const view = event.target.closest(".view");
  if (!view || event.button !== 0) return;
  view.setPointerCapture(event.pointerId);
  view.classList.add("held");
  held.set(event.pointerId, { view, at: within(view, event) });
});

grid.addEventListener("pointermove", (event) => {
  const own = held.get(event.pointerId);
  if (!own) return;
  const at = within(own.view, event);
  const other = [...held.entries()].find(([id, one]) => id !== event.pointerId && one.view === own.view)?.[1];
  if (other) {
    const apart = (from) => Math.hypot(from[0] - other.at[0], from[1] - other.at[1]);
    if (apart(own.at) > 0) zoom(apart(at) / apart(own.at), (at[0] + other.at[0]) / 2, (at[1] + other.at[1]) / 2);
  } else {
    x += at[0] - own.at[0];
    y += at[1] - own.at[1];
    paint();
  }
  own.at = at;
});

for (const name of ["pointerup", "pointercancel"]) {
  grid.addEventListener(name, (event) => {
    held.get(event.pointerId)?.view.classList.remove("held");
    held.delete(event.pointerId);
  });
}

function pan(across, down) {
  x += across * PAN;
  y += down * PAN;
  paint();
}

const KEYS = {
  "+": DEEDS.in,
  "=": DEEDS.in,
  "-": DEEDS.out,
  Escape: reset,
  ArrowLeft: () => pan(1, 0),
  ArrowRight: () => pan(-1, 0),
  ArrowUp: () => pan(0, 1),
  ArrowDown: () => pan(0, -1),
};

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || !KEYS[event.key]) return;
  if (event.target.closest("input, textarea, select, .scroll, .table")) return;
  if (event.key.startsWith("Arrow") && scale === 1) return;
  KEYS[event.key]();
  event.preventDefault();
});
