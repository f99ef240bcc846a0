// What the page does beyond links and forms. Without it everything still works, but for following live.
"use strict";

const wait = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

// Times in the reader's own zone, beside those in the schedule's.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const format = new Intl.DateTimeFormat(undefined, {
  weekday: "short", year: "numeric", month: "2-digit", day: "2-digit",
  hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short",
});

// A time's offset from UTC as it is written, in minutes.
function offset(text) {
  const found = /([+-])(\d\d):(\d\d)$/.exec(text);
  return found ? Number(`${found[1]}1`) * (60 * Number(found[2]) + Number(found[3])) : 0;
}

function tellTimes(root) {
  for (const place of root.querySelectorAll("[data-yours]")) {
    const at = new Date(place.dataset.yours);
    if (isNaN(at) || offset(place.dataset.yours) === -at.getTimezoneOffset()) continue;
    place.textContent = `yours: ${format.format(at)}`;
    place.title = zone;
    place.hidden = false;
  }
}

// The same page once more, for the part of it that changes.
async function fetched(address, selector) {
  const answer = await fetch(address, { headers: { accept: "text/html" } });
  const found = new DOMParser().parseFromString(await answer.text(), "text/html");
  return found.querySelector(selector);
}

function replace(old, fresh) {
  const open = [...old.querySelectorAll("details")].map((details) => details.open);
  old.replaceChildren(...fresh.childNodes);
  old.querySelectorAll("details").forEach((details, number) => { details.open = open[number] ?? false; });
  for (const [name, value] of Object.entries(fresh.dataset)) old.dataset[name] = value;
  tellTimes(old);
}

// What is shown stays fresh while somebody looks, and stays where it is while the keyboard is in it.
async function refresh(part) {
  for (;;) {
    await wait(Number(part.dataset.refresh));
    if (document.hidden || (part.contains(document.activeElement) && document.activeElement !== part)) continue;
    try {
      const fresh = await fetched(location.href, `#${part.id}`);
      if (fresh) replace(part, fresh);
    } catch {
      // The service is away; the next round asks again.
    }
  }
}

// Input data is fetched when it is asked for.
function unfold(details) {
  details.addEventListener("toggle", async () => {
    if (!details.open || details.dataset.had) return;
    const place = details.querySelector(".fetched");
    const found = await fetched(details.dataset.fetch, "#fetched").catch(() => null);
    if (found) {
      details.dataset.had = "yes";
      place.replaceChildren(...found.childNodes);
    }
  });
}

// A form whose answer appears below it as one types.
function answerWhileTyping(form) {
  const place = document.querySelector(form.dataset.live);
  let asked = 0;
  form.addEventListener("input", async () => {
    const mine = ++asked;
    await wait(0.25);
    if (mine !== asked) return;
    const address = `${form.action}?${new URLSearchParams(new FormData(form))}`;
    const found = await fetched(address, form.dataset.live).catch(() => null);
    if (mine !== asked || !found) return;
    replace(place, found);
    history.replaceState(null, "", address);
  });
}

// The newest firings, as they come.
function follow(bar) {
  const box = bar.querySelector("input");
  const said = bar.querySelector(".live-state");
  const rows = document.querySelector("#firing-rows");
  let events = null;
  let count = 0;
  const begin = () => {
    events = new EventSource(bar.dataset.events);
    events.addEventListener("open", () => { said.textContent = "following"; });
    events.addEventListener("error", () => { said.textContent = "connection lost, trying again"; });
    events.addEventListener("rows", (event) => {
      if (rows.contains(document.activeElement)) return;
      const body = document.createElement("template");
      body.innerHTML = event.data;
      rows.replaceChildren(body.content);
      const any = rows.children.length > 0;
      rows.closest("table").hidden = !any;
      const none = document.querySelector("#no-firings");
      if (none) none.hidden = any;
    });
    events.addEventListener("fresh", (event) => {
      count += Number(event.data);
      said.textContent = `${count} new since you opened this`;
    });
  };
  const end = () => { events.close(); said.textContent = ""; };
  box.addEventListener("change", () => (box.checked ? begin() : end()));
  addEventListener("pagehide", () => events && events.close());
  bar.hidden = false;
  begin();
}

// One click is one run.
function oncePerForm(form) {
  form.addEventListener("submit", () => {
    setTimeout(() => form.querySelectorAll("button").forEach((button) => { button.disabled = true; }));
  });
}

tellTimes(document);
document.querySelectorAll("[data-refresh]").forEach(refresh);
document.querySelectorAll("[data-fetch]").forEach(unfold);
document.querySelectorAll("[data-live]").forEach(answerWhileTyping);
document.querySelectorAll("[data-events]").forEach(follow);
document.querySelectorAll("form[method=post]").forEach(oncePerForm);
