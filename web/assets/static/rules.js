// The rule editor with script: completion and findings while somebody types. Without it the same form is checked by a button.
(() => {
  "use strict";
  const form = document.querySelector("form[data-editor]");
  if (!form) return;
  const $$ = (selector, root = form) => Array.from(root.querySelectorAll(selector));
  const make = (tag, className, text) => {
    const el = document.createElement(tag);
    if (className) el.className = className;
    if (text !== undefined) el.textContent = text;
    return el;
  };

  // Offsets of the server count characters; those of strings here count UTF-16 units.
  const units = (text, characters) => Array.from(text).slice(0, characters).join("").length;

  // ---- What there is to write: the schema, by the family of the rule's device.
  const schemas = new Map();
  const schema = () => {
    const family = form.elements.deviceType?.value ?? "";
    if (!schemas.has(family)) {
      schemas.set(family, fetch(`${form.dataset.schema}?deviceType=${encodeURIComponent(family)}`, { headers: { "HX-Request": "true" } })
        .then((answer) => (answer.ok ? answer.json() : null)).catch(() => null));
    }
    return schemas.get(family);
  };

  const members = (s, type) => {
    if (type?.type === "object" || type?.type === undefined) return s.objects.find((o) => o.name === type?.of)?.members ?? [];
    return s.objects.find((o) => o.name === type.type)?.members ?? [];
  };
  const element = (s, list) => (s.objects.some((o) => o.name === list.of) ? { type: "object", of: list.of } : { type: list.of });

  // back finds the start of the operand that ends at a place: names, calls and brackets, joined by dots.
  const back = (text, end) => {
    let at = end;
    for (;;) {
      const before = at;
      if (/[)\]]/.test(text[at - 1] ?? "")) {
        let depth = 0;
        do {
          at--;
          if (/[)\]]/.test(text[at])) depth++;
          if (/[([]/.test(text[at])) depth--;
        } while (depth > 0 && at > 0);
      }
      while (at > 0 && /[\w]/.test(text[at - 1])) at--;
      if (text[at - 1] === ".") at -= text[at - 2] === "?" ? 2 : 1;
      if (at === before) return at;
    }
  };

  // typeOf is the type of an operand such as site.evChargers[0].state; null when it is not known.
  const typeOf = (s, text, around) => {
    const parts = text.match(/\.?\??[A-Za-z_]\w*|\[[^\]]*\]|\((?:[^()]|\([^()]*\))*\)|\./g) ?? [];
    if (parts.length === 0) return null;
    let type = null;
    parts.forEach((part, i) => {
      const name = part.replace(/^\??\.|^\.\??/, "");
      if (part.startsWith("(")) {
        const first = part.slice(1, -1).split(",")[0].trim();
        if (["find", "findLast", "first", "last"].includes(parts[i - 1])) {
          const list = typeOf(s, first, around);
          type = list && element(s, list);
        } else if (["filter", "sortBy"].includes(parts[i - 1])) {
          type = typeOf(s, first, around);
        }
      } else if (part.startsWith("[")) {
        type = type?.type === "list" ? element(s, type) : null;
      } else if (part.startsWith(".") && i === 0) {
        type = around;
        if (name) type = members(s, type ?? {}).find((m) => m.name === name) ?? null;
      } else if (i === 0) {
        type = s.variables.find((m) => m.name === name) ?? null;
      } else {
        type = type && (members(s, type).find((m) => m.name === name) ?? null);
      }
    });
    return type;
  };

  // elementAt is what `.` stands for at a place: the element of the innermost predicate around it.
  const elementAt = (s, text, at) => {
    let depth = 0;
    for (let i = at - 1; i >= 0; i--) {
      if (/[)\]}]/.test(text[i])) depth++;
      if (/[([{]/.test(text[i]) && depth-- === 0) {
        const name = text.slice(0, i).match(/(\w+)$/)?.[1];
        if (s.functions.some((f) => f.name === name && f.predicate)) {
          const before = text.slice(0, i - name.length).trimEnd();
          const given = text.slice(i + 1, at);
          const list = before.endsWith("|") ? before.slice(back(before.slice(0, -1).trimEnd(), before.slice(0, -1).trimEnd().length), -1).trim()
            : given.slice(0, given.search(/,(?![^([]*[)\]])/)).trim();
          const type = typeOf(s, list, elementAt(s, text, i - name.length));
          return type && element(s, type);
        }
        depth = 0;
      }
    }
    return null;
  };

  const describe = (m) => [m.unit, m.enum?.length ? m.enum.join(", ") : "", m.description].filter(Boolean).join("; ");

  // offers are what may stand at the caret, and the text that they replace.
  const offers = (s, text, at) => {
    const before = text.slice(0, at);
    const value = before.match(/([\w.?]+)\s*(?:==|!=)\s*(["']?)(\w*)$/);
    if (value) {
      const start = at - value[3].length - value[2].length;
      const known = typeOf(s, value[1], elementAt(s, text, at))?.enum ?? [];
      const list = known.filter((v) => v.startsWith(value[3])).map((v) => ({ label: `"${v}"`, insert: `"${v}"`, note: "" }));
      if (list.length || value[2]) return { start, list, whole: true };
    }
    if ((before.match(/"/g) ?? []).length % 2 === 1) return { start: at, list: [] };
    const word = before.match(/[A-Za-z_]\w*$/)?.[0] ?? "";
    const start = at - word.length;
    if (text[start - 1] === ".") {
      const dot = start - (text[start - 2] === "?" ? 2 : 1);
      const begin = back(text, dot);
      const type = begin === dot ? elementAt(s, text, at) : typeOf(s, text.slice(begin, dot), elementAt(s, text, at));
      return { start, list: members(s, type ?? {}).filter((m) => m.name.toLowerCase().startsWith(word.toLowerCase())).map((m) => ({ label: m.name, insert: m.name, note: describe(m) })) };
    }
    if (!word) return { start, list: [] };
    const fits = (name) => name.toLowerCase().startsWith(word.toLowerCase());
    return {
      start,
      list: [
        ...s.variables.filter((v) => fits(v.name)).map((v) => ({ label: v.name, insert: v.name, note: describe(v) })),
        ...s.functions.filter((f) => fits(f.name)).map((f) => ({ label: f.signature || f.name, insert: `${f.name}(`, note: f.description })),
        ...["and", "or", "not", "in", "true", "false", "nil"].filter((w) => fits(w) && w !== word).map((w) => ({ label: w, insert: w, note: "" })),
      ],
    };
  };

  // ---- An expression: a copy of its text lies below it, which carries the underlines and tells where the caret is.
  const list = make("ul", "offers");
  list.id = "offers";
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "What may stand here");
  list.hidden = true;
  document.body.append(list);
  const said = make("p", "sr");
  said.setAttribute("role", "status");
  form.append(said);
  let open = null; // {area, start, items, at, whole}

  const close = () => {
    if (open) {
      open.area.removeAttribute("aria-activedescendant");
      open.area.removeAttribute("aria-controls");
    }
    open = null;
    list.hidden = true;
  };

  const choose = (at) => {
    open.at = at;
    Array.from(list.children).forEach((item, i) => item.setAttribute("aria-selected", String(i === at)));
    list.children[at].scrollIntoView({ block: "nearest" });
    open.area.setAttribute("aria-activedescendant", list.children[at].id);
  };

  const accept = () => {
    const { area, start, items, at } = open;
    const end = area.selectionEnd;
    close();
    area.setRangeText(items[at].insert, start, end, "end");
    area.dispatchEvent(new Event("input", { bubbles: true }));
  };

  const place = (area, at) => {
    const shadow = area.parentElement.querySelector(".marks");
    const range = document.createRange();
    const walker = document.createTreeWalker(shadow, NodeFilter.SHOW_TEXT);
    let left = at, node = walker.nextNode();
    while (node && left > node.length) {
      left -= node.length;
      node = walker.nextNode();
    }
    if (!node) return shadow.getBoundingClientRect();
    range.setStart(node, Math.min(left, node.length));
    range.collapse(true);
    return range.getBoundingClientRect();
  };

  const suggest = async (area, asked) => {
    const s = await schema();
    if (!s || document.activeElement !== area || area.selectionStart !== area.selectionEnd) return close();
    const { start, list: items } = offers(s, area.value, area.selectionStart);
    const typed = area.value.slice(start, area.selectionStart);
    const done = items.length === 1 && items[0].insert === typed;
    if (items.length === 0 || done || (!asked && !typed && area.value[start - 1] !== ".")) return close();
    list.replaceChildren(...items.slice(0, 40).map((item, i) => {
      const li = make("li");
      li.id = `offer-${i}`;
      li.setAttribute("role", "option");
      li.append(make("code", "", item.label), make("small", "", item.note));
      return li;
    }));
    open = { area, start, items: items.slice(0, 40), at: 0 };
    area.setAttribute("aria-controls", list.id);
    list.hidden = false;
    const caret = place(area, start);
    list.style.left = `${Math.max(8, Math.min(caret.left, innerWidth - list.offsetWidth - 8)) + scrollX}px`;
    list.style.top = `${caret.bottom + 6 + scrollY}px`;
    choose(0);
    said.textContent = items.length === 1 ? "1 suggestion" : `${items.length} suggestions`;
  };

  const grow = (area) => {
    area.style.height = "auto";
    area.style.height = `${area.scrollHeight + 2}px`;
  };

  // paint writes the copy, with what is found underlined.
  const paint = (area) => {
    const shadow = area.parentElement.querySelector(".marks");
    const text = area.value;
    const lead = text.length - text.trimStart().length;
    const found = (area.found ?? []).filter((f) => f.to > f.from)
      .map((f) => ({ from: lead + units(text.trimStart(), f.from), to: lead + units(text.trimStart(), f.to), severity: f.severity }))
      .filter((f) => f.to <= text.length).sort((a, b) => a.from - b.from);
    const parts = [];
    let at = 0;
    for (const f of found) {
      if (f.from < at) continue;
      parts.push(text.slice(at, f.from), make("span", f.severity, text.slice(f.from, f.to)));
      at = f.to;
    }
    parts.push(`${text.slice(at)}\u200b`);
    shadow.replaceChildren(...parts);
    shadow.scrollTop = area.scrollTop;
  };

  const wire = (area) => {
    const box = make("div", "expression");
    area.before(box);
    const shadow = make("div", "marks");
    shadow.setAttribute("aria-hidden", "true");
    box.append(shadow, area);
    area.setAttribute("aria-autocomplete", "list");
    area.addEventListener("input", () => {
      area.found = [];
      grow(area);
      paint(area);
      suggest(area, false);
    });
    area.addEventListener("scroll", () => { shadow.scrollTop = area.scrollTop; });
    area.addEventListener("blur", () => setTimeout(close, 100));
    area.addEventListener("click", close);
    area.addEventListener("keydown", (event) => {
      if (event.key === " " && event.ctrlKey) {
        event.preventDefault();
        suggest(area, true);
      } else if (open?.area === area) {
        const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
        if (step) {
          event.preventDefault();
          choose((open.at + step + open.items.length) % open.items.length);
        } else if (event.key === "Enter" || event.key === "Tab") {
          event.preventDefault();
          accept();
        } else if (event.key === "Escape") {
          event.preventDefault();
          close();
        }
      }
    });
    grow(area);
    paint(area);
  };
  list.addEventListener("mousedown", (event) => {
    const item = event.target.closest("li");
    event.preventDefault();
    if (item && open) {
      open.at = Array.from(list.children).indexOf(item);
      accept();
    }
  });
  $$("textarea[data-expr]").forEach(wire);

  // ---- What the server finds, beside its field.
  const show = (panel) => {
    const found = JSON.parse(panel.dataset.findings);
    for (const slot of $$(".findings")) {
      const own = found.filter((f) => f.field === slot.dataset.field);
      slot.replaceChildren(...own.map((f) => {
        const p = make("p", `finding ${f.severity}`);
        const quote = f.quote || f.path;
        if (quote) p.append(make("code", "", quote), " ");
        p.append(f.message.charAt(0).toUpperCase() + f.message.slice(1));
        return p;
      }));
      const field = document.getElementById(slot.id.replace(/-findings$/, ""));
      if (!field || !("value" in field)) continue;
      if (own.some((f) => f.severity === "error")) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
      if (field.matches("[data-expr]")) {
        field.found = own;
        paint(field);
      }
    }
  };

  let timer = 0, asking = null;
  const check = async () => {
    asking?.abort();
    asking = new AbortController();
    try {
      const answer = await fetch(form.dataset.draft, {
        method: "POST", body: new URLSearchParams(new FormData(form)), signal: asking.signal, headers: { "HX-Request": "true" },
      });
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("panel"), old = document.getElementById("panel");
      if (!fresh) return;
      const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
      old.replaceWith(fresh);
      if (focused) document.getElementById(focused)?.focus();
      show(fresh);
    } catch (error) {
      if (error.name !== "AbortError") throw error;
    }
  };
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(check, 300);
  };
  form.addEventListener("input", later);
  form.addEventListener("change", (event) => {
    if (event.target.matches("[data-command]")) {
      for (const set of $$("fieldset[data-for]")) {
        if (set.dataset.for !== event.target.id) continue;
        set.hidden = set.disabled = set.dataset.value !== event.target.value;
        $$("textarea[data-expr]", set).forEach(grow);
      }
    }
    later();
  });
  form.addEventListener("toggle", (event) => $$("textarea[data-expr]", event.target).forEach(grow), true);
  show(document.getElementById("panel"));
})();
