// Ask the person on this page before their agent acts:
//
//   <script type="module" src="/confirm/confirm.js"></script>
//
// The server says which questions are open, all of them, each time that changes. The first is shown
// in a dialog, and what the person says is posted back. Closing the page says nothing. Whatever
// comes from elsewhere is put into text nodes, never into markup.

import { plainAnswer } from "./plain.js";

const at = (name) => new URL(name, import.meta.url);
const MILLISECONDS_TO_LOOK = 600; // a key or click that was meant for the page decides nothing
const hasDialogs =
  typeof HTMLDialogElement === "function" && "showModal" in HTMLDialogElement.prototype;

let secret = "";
let questions = [];
let shown = null; // the question that is being asked
let busy = false; // an answer is on its way
const later = new Set(); // ids of questions that the person has put off

const el = (tag, properties, ...children) => {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children.filter((child) => child !== null && child !== ""));
  return node;
};
const button = (text, onclick, className = "") =>
  el("button", { type: "button", onclick, className }, text);
const dialog = el("dialog", { className: "gate-confirm" });
const news = el("p", { className: "gate-confirm-news" });
const waiting = button("", () => (later.clear(), look()), "gate-confirm-waiting");

function listen() {
  const source = new EventSource(at("questions"));
  source.onmessage = ({ data }) => {
    ({ secret, questions } = JSON.parse(data));
    look();
  };
  source.onerror = () => {
    if (source.readyState !== EventSource.CLOSED) return; // it comes back by itself
    questions = []; // logged out: what is on the screen is nobody's any more
    look();
  };
  addEventListener("pagehide", () => source.close(), { once: true });
}

function look() {
  const isOpen = ({ id, digest }) => questions.some((q) => q.id === id && q.digest === digest);
  if (shown && !busy && !isOpen(shown)) {
    close();
    tell("That question was answered elsewhere, or withdrawn.");
  }
  for (const id of later) if (!questions.some((q) => q.id === id)) later.delete(id);
  const count = questions.length;
  document.title = (count ? `(${count}) ` : "") + document.title.replace(/^\(\d+\) /, "");
  waiting.textContent = `${later.size} ${later.size === 1 ? "question waits" : "questions wait"}`;
  waiting.hidden = later.size === 0;
  const next = questions.find(({ id }) => !later.has(id));
  if (!shown && next) ask(next);
}

function ask(question) {
  shown = question;
  question.until = performance.now() + question.seconds * 1000;
  if (!hasDialogs) return void askPlainly(question);
  draw(question);
  document.body.append(dialog);
  dialog.showModal();
  dialog.scrollTop = 0;
  dialog.querySelector("h2").focus(); // not a button: Enter decides nothing
}

async function askPlainly(question) {
  try {
    const ask = (answer) => send(question, answer);
    const answer = await plainAnswer(question, ask, () => shown === question);
    if (answer) return void (await decide(question, answer));
  } catch ({ message }) {
    tell(message);
  }
  if (shown === question) putOff();
}

function close() {
  shown = null;
  if (dialog.open) dialog.close();
}

function putOff() {
  if (shown) later.add(shown.id);
  close();
  look();
}

function tell(text) {
  news.textContent = text;
  clearTimeout(tell.timer);
  tell.timer = setTimeout(() => (news.textContent = ""), 10_000);
}

// Post one answer. Returns what the server said; throws a sentence for the person.
async function send(question, answer) {
  const { id, digest } = question;
  const response = await fetch(at("answers"), {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Confirm": secret },
    body: JSON.stringify({ id, digest, ...answer }),
  }).catch(() => {
    throw new Error("The page cannot be reached, so nothing was decided.");
  });
  const said = await response.json().catch(() => ({ says: "The answer was not understood." }));
  if (!response.ok) throw Object.assign(new Error(said.says), { isOver: response.status === 409 });
  return said;
}

async function decide(question, answer) {
  busy = true;
  try {
    const { says } = await send(question, answer);
    questions = questions.filter(({ id }) => id !== question.id); // the stream has the last word
    close();
    tell(says);
  } finally {
    busy = false;
    if (shown && hasDialogs && !dialog.open) putOff();
    else look();
  }
}

// ---- the dialog

function draw(question) {
  const { name, asker, action, risk, environment } = question;
  const left = el("span", { className: "left" });
  dialog.setAttribute("aria-labelledby", "gate-confirm-title");
  dialog.replaceChildren(
    el(
      "header",
      {},
      el("h2", { id: "gate-confirm-title", tabIndex: -1 }, `May ${asker} run ${name}?`),
      el(
        "p",
        { className: "about" },
        el("span", { className: `risk ${risk.toLowerCase()}` }, `${risk} risk`),
        el("span", {}, environment),
        el("code", {}, action),
        left,
      ),
    ),
    ...(question.whole ? content(question) : tooLarge(question)),
    el("section", { className: "pane" }),
  );
  clock(question, left);
  choose(question);
}

function clock(question, left) {
  if (question.seconds === null) return;
  const tick = () => {
    if (shown !== question) return;
    const seconds = Math.max(0, Math.floor((question.until - performance.now()) / 1000));
    const minutes = Math.floor(seconds / 60);
    left.textContent = minutes > 4 ? `${minutes} min left` : `${minutes} min ${seconds % 60} s left`;
    if (seconds) setTimeout(tick, 1000);
    else left.textContent = "time is up";
  };
  tick();
}

const tooLarge = ({ elsewhere }) => [
  el("p", { className: "warning" }, "This is too large to be read here, so it cannot be approved here."),
  elsewhere ? el("p", {}, el("a", { href: elsewhere, target: "_blank", rel: "noopener" }, "Read all of it")) : null,
].filter(Boolean);

function content({ problem, remarks, revision, arguments: named, preview }) {
  const { summary, facts, tables, diff, warnings, quotes, files } = preview;
  const row = (name, value, type = "") => [
    el("dt", {}, el("bdi", {}, name), type && el("small", {}, ` ${type}`)),
    el("dd", {}, value === "" ? el("em", {}, "empty") : el("bdi", {}, value)),
  ];
  const part = (title, ...inside) => [el("h3", {}, title), ...inside];
  return [
    revision ? el("p", { className: "warning" }, "This has been changed; look at it once more.") : null,
    problem && el("p", { className: "warning" }, `Your change was not taken: ${problem}`),
    ...remarks.map((text) => el("p", { className: "warning" }, text)),
    summary && el("p", { className: "summary" }, summary),
    ...warnings.map((text) => el("p", { className: "warning" }, text)),
    ...(named.length
      ? part("It would be called with", el("dl", {}, ...named.flatMap((a) => row(a.name, a.text, a.type))))
      : []),
    ...(facts.length ? part("What is known", el("dl", {}, ...facts.flatMap(([n, v]) => row(n, v)))) : []),
    ...tables.flatMap((table) => part(table.title, grid(table))),
    ...(diff.length ? part("What changes", el("pre", {}, ...diff.map(line))) : []),
    ...(files.length ? part("Files", el("ul", {}, ...files.map((path) => el("li", {}, path)))) : []),
    ...quotes.flatMap(({ who, text }) =>
      part(`Words of ${who}, not checked by anybody`, el("blockquote", {}, text)),
    ),
  ].filter(Boolean);
}

const line = (text) =>
  el("span", { className: { "+": "added", "-": "removed" }[text[0]] ?? "" }, `${text}\n`);

const grid = ({ title, columns, rows }) =>
  el(
    "div",
    { className: "grid", tabIndex: 0, role: "region", ariaLabel: title },
    el(
      "table",
      {},
      el("thead", {}, el("tr", {}, ...columns.map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map((cell) => el("td", {}, cell))))),
    ),
  );

// Replace what stands below the question; `first` gets the focus.
function pane(first, ...children) {
  dialog.querySelector(".pane").replaceChildren(...children.filter(Boolean));
  first?.focus();
}

const actions = (...buttons) => el("p", { className: "actions" }, ...buttons);

// Do what a button is for; a problem is shown beside it and nothing is decided.
const press = (work) => async ({ currentTarget }) => {
  const buttons = [...dialog.querySelectorAll("button")];
  dialog.querySelector(".problem")?.remove();
  buttons.forEach((one) => (one.disabled = true));
  try {
    await work();
  } catch ({ message }) {
    const problem = el("p", { className: "problem" }, message);
    problem.setAttribute("role", "alert");
    currentTarget.parentNode.before(problem);
  }
  buttons.forEach((one) => (one.disabled = false));
};

function choose(question, isNew = true) {
  const { digits, digest, whole } = question;
  const wanted = digest.slice(0, digits);
  const typed = el("input", { id: "gate-confirm-digest", autocomplete: "off", spellcheck: false });
  const yes = button("Approve", press(() => decide(question, { say: "approve", typed: typed.value })), "yes");
  const isTyped = () => !digits || typed.value.trim().toLowerCase() === wanted;
  const change = button("Change…", () => edit(question));
  const no = button("Reject…", () => reject(question));
  const offered = [
    ...(whole ? [yes] : []),
    ...(whole && question.arguments.some((argument) => argument.edit !== null) ? [change] : []),
    no,
  ];
  typed.oninput = () => (yes.disabled = !isTyped());
  pane(
    null,
    whole && digits
      ? el(
          "p",
          { className: "field" },
          el("label", { htmlFor: typed.id }, `To approve, type the first ${digits} characters of the digest `),
          el("code", {}, digest.slice(0, 16), "…"),
          typed,
        )
      : null,
    actions(...offered, button("Later", putOff, "quiet")),
  );
  offered.forEach((one) => (one.disabled = isNew || (one === yes && !isTyped())));
  if (!isNew) return void change.focus();
  setTimeout(() => {
    offered.forEach((one) => (one.disabled = one === yes && !isTyped()));
  }, MILLISECONDS_TO_LOOK);
}

function field(name, type, text) {
  const isLong = text.includes("\n") || text.length > 60;
  const input = el(isLong ? "textarea" : "input", {
    id: `gate-confirm-field-${name}`,
    value: text,
    autocomplete: "off",
    spellcheck: false,
    ...(isLong ? { rows: 5 } : {}),
  });
  const label = el("label", { htmlFor: input.id }, name, " ", el("small", {}, type));
  return { input, row: el("p", { className: "field" }, label, input) };
}

function edit(question) {
  const fields = question.arguments
    .filter((argument) => argument.edit !== null)
    .map((argument) => ({ ...argument, ...field(argument.name, argument.type, argument.edit) }));
  const see = async () => {
    const changed = fields.filter(({ input, edit }) => input.value !== edit);
    const texts = Object.fromEntries(changed.map(({ name, input }) => [name, input.value]));
    if (!changed.length) throw new Error("Nothing is changed.");
    const { changes } = await send(question, { say: "edit", arguments: texts, sure: false });
    sure(question, texts, changes, () => pane(fields[0].input, ...form));
  };
  const form = [
    ...fields.map(({ row }) => row),
    actions(button("See the change", press(see)), button("Back", () => choose(question, false), "quiet")),
  ];
  pane(fields[0].input, ...form);
}

function sure(question, texts, changes, back) {
  const run = () => decide(question, { say: "edit", arguments: texts, sure: true });
  const title = el("h3", { tabIndex: -1 }, "Your change");
  const rows = changes.flatMap(({ name, was, now }) => [
    el("dt", {}, el("bdi", {}, name)),
    el("dd", {}, el("del", {}, was || "empty"), " → ", el("ins", {}, now || "empty")),
  ]);
  pane(
    title,
    title,
    el("dl", {}, ...rows),
    actions(button("Run it with this change", press(run), "yes"), button("Back", back, "quiet")),
  );
}

function reject(question) {
  const { input, row } = field("reason", "", "\n");
  input.value = "";
  row.querySelector("label").textContent = "Why not, and what should the agent do instead?";
  const no = async () => {
    if (!input.value.trim()) throw new Error("The agent needs a reason, best with what to do instead.");
    await decide(question, { say: "reject", reason: input.value });
  };
  pane(
    input,
    row,
    actions(button("Reject", press(no), "no"), button("Back", () => choose(question, false), "quiet")),
  );
}

// ---- this page

news.setAttribute("role", "status");
waiting.hidden = true;
document.head.append(el("link", { rel: "stylesheet", href: at("confirm.css") }));
document.body.append(waiting, news);
dialog.addEventListener("cancel", (event) => {
  event.preventDefault(); // Escape puts the question off; it is still open
  if (!busy) putOff();
});
dialog.addEventListener("close", () => shown && !busy && !dialog.open && putOff());
addEventListener("pageshow", ({ persisted }) => persisted && listen());
listen();
