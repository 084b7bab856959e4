// Buttons that copy a text: <button data-copy="<id of the element>"> with a role="status" beside it.

/** Copy by whatever way the browser allows; where none is, the text is left selected. Says what was done. */
async function copy(element) {
  const selection = getSelection();
  selection.selectAllChildren(element);
  try {
    await navigator.clipboard.writeText(element.textContent);
  } catch {
    if (!document.execCommand("copy")) return "It is selected: copy it with Ctrl+C (on a Mac, Cmd+C).";
  }
  selection.removeAllRanges();
  return "Copied.";
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const says = await copy(document.getElementById(button.dataset.copy));
  button.parentElement.querySelector('[role="status"]').textContent = says;
});

/** Show the buttons: without JavaScript they would do nothing. */
export function offer(part = document) {
  for (const button of part.querySelectorAll("button[data-copy]")) button.classList.remove("hidden");
}

offer();
