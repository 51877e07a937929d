// The questions of confirm.js where a browser has no <dialog>: window.confirm and window.prompt.

const MILLISECONDS_OF_QUIET = 600;
const LONGEST = 1200; // somewhere beyond, browsers cut what they show

// Return what the person says, or null when they leave it open.
//
//   send    posts an answer about this question
//   isOpen  tells whether it still waits
export async function plainAnswer(question, send, isOpen) {
  await quiet();
  if (!isOpen()) return null;
  const { whole, digits, digest, name } = question;
  const text = whole ? asText(question) : "";
  const isShown = whole && text.length <= LONGEST;
  if (isShown && digits) {
    const typed = prompt(`${text}\n\nTo approve, type the first ${digits} characters of ${digest}`);
    if (typed?.trim().toLowerCase() === digest.slice(0, digits)) return { say: "approve", typed };
  } else if (isShown && confirm(`${text}\n\nOK approves it. Cancel does not, and asks why not.`)) {
    return { say: "approve" };
  }
  const before = isShown ? "" : `${name} is too large to be shown here, so it cannot be approved here.\n`;
  const said = prompt(
    `${before}To reject it, say why, and what instead.\n` +
      (isShown ? "To change it, write what, such as: amount = 500\n" : "") +
      "Leave this empty to decide later.",
  );
  if (!said?.trim()) return null;
  const [, changed, value] = said.match(/^\s*(\w+)\s*=\s*([^]*)$/) ?? [];
  const isChange = isShown && question.arguments.some((a) => a.name === changed && a.edit !== null);
  if (!isChange) return { say: "reject", reason: said };
  const answer = { say: "edit", arguments: { [changed]: value } };
  const { changes } = await send({ ...answer, sure: false });
  const seen = changes.map(({ name, was, now }) => `${name}: ${inside(was)} -> ${inside(now)}`).join("\n");
  return confirm(`${seen}\n\nOK runs it with this change.`) ? { ...answer, sure: true } : null;
}

// Wait until this page is looked at and nobody is typing: Enter would mean OK.
async function quiet() {
  let last = performance.now();
  const heard = () => (last = performance.now());
  addEventListener("keydown", heard, true);
  while (document.hidden || performance.now() - last < MILLISECONDS_OF_QUIET)
    await new Promise((done) => setTimeout(done, 50));
  removeEventListener("keydown", heard, true);
}

// A line feed in what is shown must not forge a line of ours.
const inside = (text) => text.replaceAll("\n", "\n    │ ");

const asText = ({ asker, name, risk, environment, problem, remarks, arguments: named, preview }) =>
  [
    `May ${asker} run ${name}? (${risk} risk, ${environment})`,
    problem && `Your change was not taken: ${inside(problem)}`,
    ...remarks.map((text) => `Note: ${inside(text)}`),
    inside(preview.summary),
    ...preview.warnings.map((text) => `Note: ${inside(text)}`),
    ...named.map((argument) => `${argument.name} = ${inside(argument.text)}`),
    ...preview.facts.map(([fact, value]) => `${inside(fact)}: ${inside(value)}`),
    ...preview.tables.flatMap(({ title, columns, rows }) => [
      `${inside(title)}:`,
      ...[columns, ...rows].map((cells) => inside(cells.join(" | "))),
    ]),
    preview.diff.map((line) => `  │ ${line}`).join("\n"),
    ...preview.files.map(inside),
    ...preview.quotes.map(({ who, text }) => `Words of ${inside(who)}, not checked by anybody: ${inside(text)}`),
  ]
    .filter(Boolean)
    .join("\n");
