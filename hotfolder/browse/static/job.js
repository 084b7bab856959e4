// The page of one job: followed each second until it has ended, without a reload.

import { ask } from "./base.js";
import "./copying.js";

const POLL_MS = 1000;
const job = document.getElementById("job");
const PASSING = ["step", "share", "eta"];
let known;

/** All that is told but how far the job is, as one text: when it changes, the page has something new to show. */
function lasting(told) {
  return JSON.stringify(told, (key, value) => (PASSING.includes(key) ? undefined : value));
}

function paint(told) {
  const far = document.querySelector(".far");
  far.classList.toggle("hidden", !told.step && !told.eta);
  far.querySelector('[data-told="step"]').textContent = told.step;
  far.querySelector('[data-told="eta"]').textContent = told.eta;
  const bar = far.querySelector("progress");
  if (told.share === null) bar.removeAttribute("value");
  else bar.value = told.share;
}

/** Take the changed parts from the page as the server writes it now. */
async function renew() {
  const answer = await fetch(location.href);
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live");
  if (fresh) document.getElementById("live").replaceChildren(...fresh.childNodes);
}

async function look() {
  try {
    const told = await ask(`job/${job.dataset.job}.json`);
    if (lasting(told) !== known) {
      await renew();
      known = lasting(told);
    }
    paint(told);
    if (told.ended) return;
  } catch {
    // the server is being started anew, or is gone: what is shown stays, and is asked for again
  }
  setTimeout(look, document.hidden ? 5 * POLL_MS : POLL_MS);
}

if ("live" in job.dataset) look();
