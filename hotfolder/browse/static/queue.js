// Keeps the queue page up to date: what has changed is changed in place, so that focus, scroll and pictures stay.

import { ask } from "./base.js";

const SEEN_MS = 1000, HIDDEN_MS = 15000, UNREACHABLE_MS = 2000, PATIENCE_MS = 10000;
const going = document.getElementById("going"), unreachable = document.getElementById("unreachable");
let waiting = 0, asking = false;

async function look() {
  clearTimeout(waiting);
  if (asking) return;
  asking = true;
  let next = document.hidden ? HIDDEN_MS : SEEN_MS;
  try {
    const told = await ask("queue.json", {}, { signal: AbortSignal.timeout(PATIENCE_MS) });
    const fresh = new DOMParser().parseFromString(told.html, "text/html").body;
    const focused = document.activeElement;
    settle(going, fresh);
    if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
    document.title = `${told.title} · hotfolder`;
    unreachable.hidden = true;
  } catch {
    next = UNREACHABLE_MS;
    if (unreachable.hidden) {
      unreachable.textContent = "The catalog's server does not answer. What you see is what it said last; this page goes on by itself once it is back (hotfolder browse).";
      unreachable.hidden = false;
    }
  }
  asking = false;
  waiting = setTimeout(look, next);
}

/** Make the children of an element like those of a fresh one. Those with the same data-key stay the same nodes. */
function settle(old, fresh) {
  const keyed = new Map([...old.children].filter((child) => child.dataset.key).map((child) => [child.dataset.key, child]));
  const wanted = new Set([...fresh.children].map((child) => child.dataset.key).filter(Boolean));
  const keyOf = (node) => node.dataset?.key;
  let place = old.firstChild;
  for (const next of [...fresh.childNodes]) {
    const key = keyOf(next);
    let same = key ? keyed.get(key) : place && !keyOf(place) && place.nodeName === next.nodeName ? place : undefined;
    if (same && same.nodeName !== next.nodeName) same = undefined;
    if (key && same) while (place !== same && place && !wanted.has(keyOf(place))) place = drop(place);
    if (!same) {
      old.insertBefore(document.importNode(next, true), place);
      continue;
    }
    if (same === place) place = place.nextSibling;
    else old.insertBefore(same, place);
    if (same.nodeType !== Node.ELEMENT_NODE) {
      if (same.data !== next.data) same.data = next.data;
      continue;
    }
    for (const { name } of [...same.attributes]) if (!next.hasAttribute(name)) same.removeAttribute(name);
    for (const { name, value } of next.attributes) if (same.getAttribute(name) !== value) same.setAttribute(name, value);
    settle(same, next);
  }
  while (place) place = drop(place);
}

/** Take a node away; returns the one behind it. */
function drop(node) {
  const behind = node.nextSibling;
  node.remove();
  return behind;
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) look();
});
waiting = setTimeout(look, SEEN_MS);
