// What pages do better with script; without it they do the same in more steps.
(() => {
  "use strict";
  const $$ = (selector, root = document) => Array.from(root.querySelectorAll(selector));

  let paused = false, missed = false;

  // Times in words, and how long until the next try.
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const span = (seconds) => {
    const i = Math.max(0, units.findIndex(([, size]) => Math.abs(seconds) >= size));
    const [unit, size] = Math.abs(seconds) < 1 ? units[3] : units[i];
    const whole = Math.floor(Math.abs(seconds) / size);
    const rest = i < 2 ? Math.floor((Math.abs(seconds) % size) / units[i + 1][1]) : 0;
    return `${whole} ${unit}` + (rest ? ` ${rest} ${units[i + 1][0]}` : "");
  };
  const tick = () => {
    const now = Date.now();
    for (const el of $$("time[data-ago]")) {
      const seconds = (now - Date.parse(el.dateTime)) / 1000;
      const text = seconds < 5 ? "just now" : `${span(seconds).split(" ").slice(0, 2).join(" ")} ago`;
      if (el.textContent !== text) el.textContent = text;
    }
    for (const el of $$("time[data-until]")) {
      const seconds = (Date.parse(el.dateTime) - now) / 1000;
      const text = seconds <= 0 ? "now" : `in ${span(seconds)}`;
      if (el.textContent !== text) el.textContent = text;
    }
  };
  setInterval(tick, 1000);

  let recount;
  const wire = (root) => {
    clearTimeout(recount);
    if (root.querySelector("[data-counting]")) recount = setTimeout(() => { if (!paused) htmx.trigger("#feed", "changed"); }, 400);
    for (const button of $$("button[data-copy]", root)) button.hidden = !navigator.clipboard;
    tick();
  };

  document.addEventListener("click", async (event) => {
    const copy = event.target.closest("button[data-copy]");
    if (copy) {
      const source = document.getElementById(copy.dataset.copy);
      await navigator.clipboard.writeText(source.textContent.trim());
      const label = copy.textContent;
      copy.textContent = "Copied";
      setTimeout(() => { copy.textContent = label; }, 1500);
    }
    const pause = event.target.closest("button[data-pause]");
    if (pause) setPaused(!paused);
    if (event.target.closest("[data-close]")) drawer()?.close();
    if (event.target === drawer()) drawer().close();
  });

  // A select that is changed applies its form's filters.
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-auto]");
    if (form && event.target.matches("select")) form.requestSubmit();
  });

  // A form is sent once.
  document.addEventListener("submit", (event) => {
    for (const button of $$("button[type=submit]", event.target)) {
      setTimeout(() => { button.disabled = true; }, 0);
      setTimeout(() => { button.disabled = false; }, 5000);
    }
  });
  addEventListener("pageshow", () => $$("button[type=submit]").forEach((button) => { button.disabled = false; }));

  // The drawer shows what a link leads to, beside the list.
  const drawer = () => document.getElementById("drawer");
  document.addEventListener("htmx:after:swap", (event) => {
    const target = event.detail?.ctx?.target ?? event.target;
    if (target?.id === "drawer-body") {
      if (!drawer().open) drawer().showModal();
      drawer().scrollTop = 0;
    }
    wire(document);
  });

  // Live pages ask for themselves again when the server says that something has changed.
  const state = (value) => {
    for (const el of $$(".live")) {
      el.dataset.state = value;
      el.querySelector("span").textContent = { on: "Live", paused: "Paused", waiting: "Connecting" }[value];
    }
  };
  const setPaused = (value) => {
    paused = value;
    for (const button of $$("button[data-pause]")) button.textContent = paused ? "Resume" : "Pause";
    state(paused ? "paused" : "on");
    if (!paused && missed) {
      missed = false;
      htmx.trigger("#feed", "changed");
    }
  };
  // This script comes before htmx, which connects as soon as it is there. It connects again by itself when a feed breaks
  // off, but not when the first try fails.
  let tries = 0;
  document.addEventListener("htmx:sse:after:connection", () => {
    tries = 0;
    state(paused ? "paused" : "on");
  });
  for (const failed of ["htmx:error", "htmx:response:error"]) {
    document.addEventListener(failed, (event) => {
      if (event.target.id !== "feed") return;
      setTimeout(() => htmx.trigger("#feed", "again"), Math.min(60, 2 ** tries++) * 1000);
    });
  }
  document.addEventListener("htmx:sse:error", () => { if (!paused) state("waiting"); });
  document.addEventListener("htmx:sse:before:message", (event) => {
    if (paused) {
      missed = true;
      event.detail.cancelled = true;
    }
  });

  // On a narrow screen the navigation scrolls; where one is should be seen.
  const here = document.querySelector(".nav a[aria-current]");
  if (here && here.parentElement.scrollWidth > here.parentElement.clientWidth) {
    here.parentElement.scrollLeft = here.offsetLeft - 24;
  }
  wire(document);
})();
