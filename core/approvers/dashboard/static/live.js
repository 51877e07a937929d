// Keeps a page true while somebody looks at it: news from the server, and what is left of the time.

const MILLISECONDS_BETWEEN_LOOKS = 1000;
const OPT_IN = "tell-on-desktop";
const later = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
const region = () => document.getElementById("live");
const plainTitle = document.title.replace(/^\(\d+\) /, "");

let skew = Date.parse(region().dataset.now) - Date.now();
let waits = Number(region().dataset.waits ?? 0);
let busy = false;
let again = false;

// The time that is left

const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

function left(seconds) {
  if (seconds < 1) return "expired";
  const first = UNITS.findIndex(([size]) => seconds >= size);
  return UNITS.slice(first, first + 2)
    .map(([size, unit], at) => [Math.floor((at ? seconds % UNITS[first][0] : seconds) / size), unit])
    .filter(([count]) => count)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(" ");
}

function tick() {
  for (const place of document.querySelectorAll("[data-until]")) {
    const seconds = Math.floor((Date.parse(place.dataset.until) - Date.now() - skew) / 1000);
    const text = left(seconds);
    if (place.textContent !== text) place.textContent = text;
    place.classList.toggle("soon", seconds < 300);
  }
}

// What is said, and where

function say(text) {
  const place = document.getElementById("said");
  if (place) place.textContent = text;
}

function badge() {
  document.title = waits ? `(${waits}) ${plainTitle}` : plainTitle;
}

function tellOnDesktop(text) {
  if (!document.hidden || localStorage.getItem(OPT_IN) !== "yes") return;
  if (Notification.permission === "granted") new Notification(plainTitle, { body: text, tag: "waits" });
}

function offerDesktop() {
  const button = document.getElementById("notify");
  if (!button || !("Notification" in window) || !window.isSecureContext) return;
  const isOn = () => Notification.permission === "granted" && localStorage.getItem(OPT_IN) === "yes";
  const show = () => {
    button.setAttribute("aria-pressed", String(isOn()));
    button.textContent = isOn() ? "Desktop news are on" : "Tell me on the desktop";
    button.hidden = Notification.permission === "denied";
  };
  button.addEventListener("click", async () => {
    if (isOn()) localStorage.setItem(OPT_IN, "no");
    else if ((await Notification.requestPermission()) === "granted") localStorage.setItem(OPT_IN, "yes");
    show();
  });
  show();
}

// Looking again

async function fetched() {
  const asked = fetch(location.href, { headers: { Accept: "text/html" } });
  const answer = await asked.catch(() => null); // a dashboard may end with the program it is part of
  if (!answer?.ok || answer.redirected) return null;
  return new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live");
}

function ticked(root) {
  return new Set([...root.querySelectorAll('input[type="checkbox"][name="id"]:checked')].map((box) => box.value));
}

function swap(fresh) {
  const old = region();
  const marks = ticked(old);
  const active = document.activeElement?.closest("li[data-id]")?.dataset.id;
  const id = document.activeElement?.id;
  const wasOpen = old.querySelector("details.sieve")?.open;
  const filter = old.querySelector("form.filters");
  const isFiltering = filter?.contains(document.activeElement);
  for (const box of fresh.querySelectorAll('input[type="checkbox"][name="id"]')) box.checked = marks.has(box.value);
  if (wasOpen && fresh.querySelector("details.sieve")) fresh.querySelector("details.sieve").open = true;
  if (isFiltering) fresh.querySelector("form.filters")?.replaceWith(filter);
  const focused = document.activeElement;
  old.replaceWith(document.adoptNode(fresh));
  if (isFiltering) focused.focus();
  else if (active) document.querySelector(`li[data-id="${CSS.escape(active)}"] a.name`)?.focus();
  else if (id && id !== "main") document.getElementById(id)?.focus();
  skew = Date.parse(fresh.dataset.now) - Date.now();
  waits = Number(fresh.dataset.waits ?? waits);
  if (fresh.dataset.page === "request") say("This request has changed");
  document.dispatchEvent(new CustomEvent("swapped"));
  tick();
  badge();
}

// Nobody's click may land on another call than the one they have read.
function mayBeSwapped(fresh) {
  const mine = region().dataset;
  if (mine.page !== "request") return true;
  return !isTyping() && (fresh.dataset.digest === mine.digest || fresh.dataset.state !== "pending");
}

async function lookAgain() {
  if (busy) {
    again = true;
    return;
  }
  busy = true;
  try {
    do {
      again = false;
      const fresh = await fetched();
      if (fresh && mayBeSwapped(fresh)) swap(fresh);
      else if (fresh) warn();
      await later(MILLISECONDS_BETWEEN_LOOKS);
    } while (again);
  } finally {
    busy = false;
  }
}

function isTyping() {
  const forms = region().querySelectorAll("form[method=post]");
  return [...forms].some((form) => [...form.elements].some((one) => one.type !== "hidden" && one.type !== "checkbox" && one.value && one.value !== one.defaultValue && one.tagName !== "BUTTON"));
}

function warn() {
  const news = document.getElementById("news");
  news.replaceChildren("This has changed since you opened it, so what you see is out of date. ");
  const link = document.createElement("a");
  link.href = location.href;
  link.textContent = "Load it again";
  news.append(link);
}

// News

function heard({ changes, more, waits: now }) {
  const before = waits;
  const mine = region().dataset;
  waits = now;
  badge();
  if (now > before) {
    const text = now === 1 ? "1 request waits" : `${now} requests wait`;
    say(text);
    tellOnDesktop(text);
  }
  if (mine.page === "inbox") lookAgain();
  else if (mine.page === "request" && (more || mine.id in changes)) lookAgain();
  else if (mine.page === "batch" && mine.ids.split(" ").some((id) => id in changes)) warn();
}

// Browsers open few connections to one place: the tabs of a browser share one stream where they can.

const tabs = new BroadcastChannel("news");
tabs.addEventListener("message", (event) => heard(event.data));

function listen() {
  return new Promise((over) => {
    const stream = new EventSource("/events");
    stream.addEventListener("open", () => {
      if (region().dataset.page !== "batch") lookAgain(); // what happened before anybody listened
    });
    stream.addEventListener("changed", (event) => {
      const news = JSON.parse(event.data);
      tabs.postMessage(news);
      heard(news);
    });
    stream.addEventListener("error", () => {
      if (stream.readyState === EventSource.CLOSED) over(); // logged out, most likely
    });
    addEventListener("pagehide", () => stream.close());
  });
}

if (navigator.locks) navigator.locks.request("news", listen);
else listen();
addEventListener("pageshow", (event) => event.persisted && location.reload());
setInterval(tick, 1000);
offerDesktop();
tick();
badge();
