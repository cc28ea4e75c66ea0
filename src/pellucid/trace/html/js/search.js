// Search through steps, fields, values and secrets; four hex digits and more also look into the bytes.

const MOST_FOUND = 60;

function searchIndex() {
  const entries = [];
  connections.forEach((one, index) => {
    for (const step of one.steps) {
      entries.push({
        index,
        target: { step: step.number },
        where: `step ${step.number}`,
        what: `${actorOf(step)}: ${step.title}`,
        text: `${step.title} ${step.purpose} ${step.textbook || ""} ${alsoOf(step)}`,
      });
      messagesOf(step).forEach((part, number) => indexFields(entries, index, step, part, number));
      for (const part of step.parts) {
        const more = {
          choice: () =>
            `${part.title} ${part.chosen} ${part.sides.map((side) => side.has.join(" ")).join(" ")}`,
          check: () => `${part.title} ${part.expected} ${part.found}`,
          certificate: () =>
            part.path.map((c) => `${c.subject} ${c.issuer} ${c.names.join(" ")} ${c.verdict}`).join(" "),
        }[part.kind];
        if (more)
          entries.push({
            index,
            target: { step: step.number },
            where: `step ${step.number}`,
            what: part.title || "certificate path",
            text: more(),
          });
      }
    }
    for (const key of one.keys) {
      const value = (key.value && key.value.hex) || (key.parts || []).map((part) => part.hex || "").join(" ");
      entries.push({
        index,
        target: { key: key.id },
        where: "secret",
        what: key.name,
        text: `${key.name} ${key.formula} ${key.used_for} ${value}`,
      });
    }
  });
  for (const entry of entries) entry.text = entry.text.toLowerCase();
  return entries;
}

// What else a step says: its rows, and the names of a ClientHello.
function alsoOf(step) {
  const rows = (step.rows || []).map((row) => `${row.label} ${row.value}`);
  const names = messagesOf(step).flatMap((part) => Object.entries(part.fingerprints || {}).flat());
  return [...rows, ...names].join(" ");
}

function indexFields(entries, index, step, part, number) {
  for (const node of flattened(part.fields)) {
    const range = node.size ? [node.at, node.at + node.size - 1] : null;
    entries.push({
      index,
      target: { step: step.number, part: number, range },
      where: `step ${step.number}`,
      what: `${node.name} ${node.meaning || node.value}`,
      text: `${node.name} ${node.value} ${node.meaning || ""}`,
    });
  }
}

// Steps whose bytes have these hex digits, at a whole byte.
function bytesFound(query) {
  const digits = query.replace(/^0x|[\s:]/g, "");
  if (!/^[0-9a-f]{4,}$/.test(digits) || digits.length % 2) return [];
  const found = [];
  connections.forEach((one, index) => {
    for (const step of one.steps) {
      messagesOf(step).forEach((part, number) => {
        for (let at = part.raw.indexOf(digits); at >= 0; at = part.raw.indexOf(digits, at + 1)) {
          if (at % 2) continue;
          const range = [at / 2, at / 2 + digits.length / 2 - 1];
          found.push({
            index,
            target: { step: step.number, part: number, range },
            where: `step ${step.number}`,
            what: `bytes ${range[0]}–${range[1]} of ${part.name}`,
          });
        }
      });
    }
  });
  return found;
}

function searchBox() {
  let entries = null;
  let chosen = -1;
  const list = el("div", {
    class: "found",
    id: "found",
    role: "listbox",
    "aria-label": "Found",
    hidden: true,
  });
  const input = el("input", {
    type: "search",
    id: "search",
    placeholder: "Search: a field, a value, bytes",
    autocomplete: "off",
    spellcheck: "false",
    role: "combobox",
    "aria-label": "Search",
    "aria-controls": "found",
    "aria-expanded": "false",
  });
  const shut = () => {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
  };
  const look = () => {
    const query = input.value.trim().toLowerCase();
    list.replaceChildren();
    chosen = -1;
    if (query.length < 2) return shut();
    entries = entries || searchIndex();
    const words = query.split(/\s+/);
    const found = [
      ...bytesFound(query),
      ...entries.filter((entry) => words.every((word) => entry.text.includes(word))),
    ];
    list.append(
      ...found
        .slice(0, MOST_FOUND)
        .map((entry, number) =>
          el(
            "div",
            { role: "option", id: `found-${number}`, "aria-selected": "false" },
            el(
              "a",
              { href: hashOf(entry.target, entry.index), tabindex: -1 },
              el(
                "span",
                { class: "where" },
                connections.length > 1 ? `${entry.index + 1}: ${entry.where}` : entry.where,
              ),
              el("span", { class: "what" }, entry.what),
            ),
          ),
        ),
    );
    const rest = found.length - MOST_FOUND;
    list.append(
      el(
        "p",
        {},
        found.length ? (rest > 0 ? `and ${rest} more` : `${found.length} found`) : "Nothing found.",
      ),
    );
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    return undefined;
  };
  const move = (by) => {
    const options = [...list.querySelectorAll("[role=option]")];
    if (!options.length) return;
    chosen = (chosen + by + options.length) % options.length;
    options.forEach((option, number) => option.setAttribute("aria-selected", String(number === chosen)));
    options[chosen].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", options[chosen].id);
  };
  input.addEventListener("input", look);
  input.addEventListener("focus", look);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      move(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Enter") {
      const link = list.querySelectorAll("[role=option] a")[Math.max(chosen, 0)];
      if (link) link.click();
    } else if (event.key === "Escape") {
      shut();
      input.blur();
    }
  });
  list.addEventListener("click", shut);
  document.addEventListener("pointerdown", (event) => {
    if (!box.contains(event.target)) shut();
  });
  const box = el("div", { class: "search", role: "search" }, input, list);
  return box;
}
