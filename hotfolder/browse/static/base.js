// What all pages share: addresses, JSON, and buttons that write. Pages import from here; nothing comes from elsewhere.

const { base } = document.body.dataset;
let token = document.body.dataset.csrf;
export const mayReview = "review" in document.body.dataset;

/** The address of one of our pages: address("gallery.json", {kind: "edit"}). Empty values are left out. */
export function address(path, query = {}) {
  const words = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== "" && value != null));
  return `${base}${path}${words.size ? `?${words}` : ""}`;
}

/** Ask for JSON; an answer that is none, or an error of the server, throws with its sentence. */
export async function ask(path, query = {}, options = {}) {
  return read(await fetch(address(path, query), options));
}

async function read(answer) {
  if (!answer.ok) throw new Error((await answer.text()).trim() || `the server answered ${answer.status}`);
  return answer.json();
}

/** Post one deed of the review (see browse/review.py); resolves to its JSON. */
export async function post(path, values) {
  const send = () => fetch(address(path), { method: "POST", body: new URLSearchParams({ ...values, csrftoken: token }) });
  let answer = await send();
  if (answer.status === 403) { // the server was started anew, or one on another port has set the cookie since
    token = (await ask("review/token")).csrf;
    answer = await send();
  }
  return read(answer);
}

/** Make an element: make("a", {href: "...", class: "x"}, "text", child). Texts are never read as HTML. */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value != null) element.setAttribute(key, value);
  element.append(...children.filter((child) => child != null));
  return element;
}
