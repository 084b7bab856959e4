// The days of the gallery, on this machine's clock.

/** Write the day on the first picture of each: `cells` are in order, and each has the time in data-at. */
export function markDays(cells) {
  const year = new Date().getFullYear();
  let last = null;
  for (const cell of cells) {
    const made = new Date(cell.dataset.at);
    const { dataset } = cell.querySelector(".frame");
    const day = made > 0 ? made.toDateString() : last;
    if (day === last) delete dataset.day;
    else dataset.day = written(made, year);
    last = day;
  }
}

function written(made, year) {
  const words = { weekday: "short", day: "numeric", month: "short", ...(made.getFullYear() !== year && { year: "numeric" }) };
  return made.toLocaleDateString("en-GB", words).replace(",", "");
}
