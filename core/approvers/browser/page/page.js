// The shop's own page. It knows nothing of the questions; confirm.js asks them.

const MILLISECONDS_BETWEEN_LOOKS = 300;
const find = (id) => document.getElementById(id);
let drawn = "";

function add(parent, tag, text = "") {
  const node = document.createElement(tag);
  node.textContent = text;
  parent.append(node);
  return node;
}

function draw({ lines = [], till = [], working = false }) {
  find("work").disabled = working;
  if (drawn === (drawn = JSON.stringify([lines, till]))) return;
  const list = find("lines");
  if (lines.length < list.childElementCount) list.replaceChildren();
  for (const line of lines.slice(list.childElementCount)) add(list, "li", line);
  find("till").replaceChildren();
  for (const { writer, charge, paid, back } of till) {
    const row = add(find("till"), "tr");
    for (const text of [writer, charge, paid, back]) add(row, "td", text);
  }
}

async function follow(options) {
  const answer = await fetch(options ? "/work" : "/story", options).catch(() => null);
  const story = answer ? await answer.json() : { working: true }; // the shop may come back
  if (answer) draw(story);
  if (story.working) setTimeout(follow, MILLISECONDS_BETWEEN_LOOKS);
}

find("work").addEventListener("click", () => follow({ method: "POST" }));
follow();
