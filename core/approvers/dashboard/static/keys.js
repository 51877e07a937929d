// Keys for people who do this all day. No letter decides anything: it only goes to a button.

const OFF = "letters-are-off";
const help = document.getElementById("keys");
const toggle = document.getElementById("keys-on");
const isOff = () => localStorage.getItem(OFF) === "yes";
const rows = () => [...document.querySelectorAll("li[data-id]")];
const here = () => document.activeElement?.closest("li[data-id]");

function isTyping(target) {
  return target.closest("textarea, select, [contenteditable]") || (target.matches("input") && !["checkbox", "radio"].includes(target.type));
}

function go(step) {
  const all = rows();
  const at = all.indexOf(here());
  const next = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + step))];
  next?.querySelector("a.name")?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

function focus(id) {
  const place = document.getElementById(id);
  place?.focus();
  place?.scrollIntoView({ block: "center" });
}

const KEYS = {
  j: () => go(1),
  k: () => go(-1),
  x: () => here()?.querySelector('input[type="checkbox"]')?.click(),
  a: () => focus(document.getElementById("confirm") ? "confirm" : "approve"),
  r: () => focus("reason"),
  e: () => focus("edit"),
  i: () => location.assign("/"),
  "?": () => help?.showModal(),
};

document.addEventListener("keydown", (event) => {
  const isHelp = event.key === "?";
  if (event.ctrlKey || event.metaKey || event.altKey || help?.open || isTyping(event.target)) return;
  if (!(event.key in KEYS) || (isOff() && !isHelp)) return;
  event.preventDefault();
  KEYS[event.key]();
});

if (toggle) {
  toggle.checked = !isOff();
  toggle.addEventListener("change", () => localStorage.setItem(OFF, toggle.checked ? "no" : "yes"));
}

function hint() {
  for (const place of document.querySelectorAll(".keyhint")) place.hidden = !matchMedia("(hover: hover)").matches;
}

document.addEventListener("swapped", hint);
hint();
