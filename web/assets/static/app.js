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

  // The page asks for itself again, or once it is not paused any more.
  const changed = () => {
    if (paused) missed = true;
    else htmx.trigger("#feed", "changed");
  };

  let recount;
  const wire = (root) => {
    clearTimeout(recount);
    if (root.querySelector("[data-counting]")) recount = setTimeout(changed, 400);
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

  // What had the focus is given it back when a live page has changed. Rows move, come and go, and an element that stays
  // where it is may now be about another thing: Enter must never do it to that.
  const focusable = "a[href], button, input, select, textarea, summary, [tabindex]";
  const named = (el) => JSON.stringify([
    el.tagName, el.id, el.getAttribute("href"), el.getAttribute("name"), el.form?.getAttribute("action"),
    el.parentElement?.closest("[id]")?.id, el.closest("section")?.getAttribute("aria-label"),
  ]);
  const place = (el) => {
    const row = el.closest("tr, li"), rows = row ? Array.from(row.parentElement.children) : [], at = rows.indexOf(row);
    return { el, name: named(el), nearby: el.matches("a") ? [...rows.slice(at + 1), ...rows.slice(0, Math.max(at, 0)).reverse()] : [] };
  };
  const refocus = (was) => {
    const now = document.activeElement ?? document.body;
    if (now !== document.body && now !== was.el) return; // the person has moved on
    const same = was.el.isConnected && named(was.el) === was.name ? was.el
      : $$(focusable, document.getElementById("live") ?? document).find((el) => named(el) === was.name);
    if (!same && now === was.el) return; // as the link to the next page, which changes with what is on this one
    const next = same ?? was.nearby.find((row) => row.isConnected)?.querySelector("a[href]") ?? document.getElementById("content");
    if (next !== now) next.focus({ preventScroll: true });
  };

  // The drawer shows what a link leads to, beside the list.
  const drawer = () => document.getElementById("drawer");
  let held, opener;
  document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
    if (ctx.target?.id === "drawer-body") opener = place(ctx.sourceElement);
  });
  document.addEventListener("htmx:before:swap", ({ detail: { ctx } }) => {
    if (ctx.target?.id === "drawer-body") ctx.title = null; // the page is still that of the list
    if (ctx.target?.id === "live") held = ctx.target.contains(document.activeElement) ? place(document.activeElement) : undefined;
  });
  document.addEventListener("htmx:after:swap", (event) => {
    const target = event.detail?.ctx?.target ?? event.target;
    if (target?.id === "drawer-body") {
      if (!drawer().open) {
        drawer().showModal();
        drawer().addEventListener("close", () => refocus(opener), { once: true });
      }
      drawer().scrollTop = 0;
    }
    if (target?.id === "live" && held) refocus(held);
    wire(document);
  });

  // An answer that is an error has nothing of what was asked for in it, and is not put in its place. A link is followed
  // then, as without script; a live page keeps what it shows and asks again, unless it is not there for this person any more.
  let asks = 0;
  const failed = (ctx, status) => {
    if (ctx?.target?.id === "drawer-body") location.assign(ctx.sourceElement.href);
    if (ctx?.target?.id !== "live") return;
    if (status >= 400 && status < 500 && status !== 429) {
      location.reload();
      return;
    }
    state("waiting");
    setTimeout(changed, Math.min(60, 2 ** asks++) * 1000);
  };
  document.addEventListener("htmx:before:response", (event) => {
    const { ctx } = event.detail;
    if (ctx.target?.id !== "live" && ctx.target?.id !== "drawer-body") return;
    if (ctx.response.status >= 400) {
      event.preventDefault();
      failed(ctx, ctx.response.status);
    } else if (ctx.target.id === "live" && asks) {
      asks = 0;
      state(paused ? "paused" : "on");
    }
  });
  document.addEventListener("htmx:error", (event) => failed(event.detail?.ctx, 0));

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
      changed();
    }
  };
  // This script comes before htmx, which connects as soon as it is there. It connects again by itself when a feed breaks
  // off, but not when the first try fails.
  let tries = 0;
  document.addEventListener("htmx:sse:after:connection", () => {
    tries = 0;
    state(paused ? "paused" : "on");
  });
  for (const broken of ["htmx:error", "htmx:response:error"]) {
    document.addEventListener(broken, (event) => {
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
