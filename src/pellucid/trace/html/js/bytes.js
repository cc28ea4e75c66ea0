// Bytes and fields of one message, side by side: pointing at either lights up the other.

const MOST_BYTES = 6144; // more are shown when asked for: each is an element of the page

// All nodes of a field tree in one list, parents before their parts.
function flattened(fields) {
  const nodes = [];
  const walk = (node, parent, depth) => {
    const index = nodes.push({ ...node, parent, depth, index: nodes.length, inner: [] }) - 1;
    if (parent >= 0) nodes[parent].inner.push(index);
    for (const part of node.parts || []) walk(part, index, depth + 1);
  };
  for (const field of fields) walk(field, -1, 0);
  return nodes;
}

// linked: told the range of bytes that was chosen.
function dumpOf(message, linked) {
  const raw = message.raw.match(/../g) || [];
  const nodes = flattened(message.fields);
  const owner = new Array(raw.length).fill(-1);
  for (const node of nodes) {
    if (!node.inner.length) owner.fill(node.index, node.at, node.at + node.size);
  }
  const readout = el("p", { class: "readout" });
  const dump = {
    raw,
    nodes,
    owner,
    linked,
    readout,
    cells: [],
    rows: [],
    ordinals: new Map(),
    hot: -1,
    pinned: null,
  };
  // Leaves are striped in turn, so that one sees where each begins and ends.
  for (const node of nodes) if (!node.inner.length) dump.ordinals.set(node.index, dump.ordinals.size);
  const hexdump = hexdumpOf(dump);
  const tree = el(
    "div",
    { class: "tree", role: "group", "aria-label": `Fields of ${message.name}` },
    el(
      "div",
      {},
      nodes.filter((node) => node.parent < 0).map((node) => branch(dump, node)),
    ),
  );
  dump.element = el("div", { class: "dump" }, readout, el("div", { class: "both-sides" }, hexdump, tree));
  dump.element.addEventListener("pointerleave", () => heat(dump, -1));
  tell(dump, -1);
  return dump;
}

function hexdumpOf(dump) {
  const width = perLine();
  const shown = view.all ? dump.raw.length : Math.min(dump.raw.length, MOST_BYTES);
  const box = el("div", { class: "hexdump", role: "group", "aria-label": "The same in bytes" });
  const fill = (from, to) => {
    for (let start = from; start < to; start += width)
      box.append(lineOf(dump, start, Math.min(start + width, to)));
  };
  fill(0, shown);
  if (shown < dump.raw.length) {
    const more = el(
      "button",
      { class: "tool more" },
      `Show the other ${plural(dump.raw.length - shown, "byte")}`,
    );
    more.addEventListener("click", () => {
      more.remove();
      fill(shown, dump.raw.length);
      paint(dump);
    });
    box.append(more);
  }
  box.addEventListener("pointerover", (event) => {
    const at = event.target.dataset.at;
    if (at !== undefined) heat(dump, dump.owner[Number(at)], "byte");
  });
  box.addEventListener("click", (event) => {
    const at = event.target.dataset.at;
    if (at !== undefined) select(dump, dump.owner[Number(at)]);
  });
  return box;
}

// A phone has room for eight.
function perLine() {
  return window.innerWidth < 480 ? 8 : 16;
}

function lineOf(dump, start, end) {
  const line = el(
    "div",
    { class: "line" },
    el("span", { class: "offset", "aria-hidden": "true" }, start.toString(16).padStart(4, "0")),
  );
  let text = "";
  for (let at = start; at < end; at += 1) {
    const leaf = dump.nodes[dump.owner[at]];
    const odd = leaf && dump.ordinals.get(leaf.index) % 2 ? " odd" : "";
    const begins = leaf && leaf.at === at ? " start" : "";
    const cell = el("span", { class: `b${odd}${begins}`, "data-at": at }, dump.raw[at]);
    dump.cells[at] = cell;
    line.append(cell);
    const code = parseInt(dump.raw[at], 16);
    text += code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : "·";
  }
  line.append(el("span", { class: "ascii", "aria-hidden": "true" }, text));
  return line;
}

function branch(dump, node) {
  const row = el("div", { class: "field" });
  const item = el("div", {}, row);
  dump.rows[node.index] = { row, item, list: null, twist: null, about: null };
  const twist = el("button", {
    class: node.inner.length ? "twist" : "twist none",
    tabindex: node.inner.length ? null : -1,
  });
  if (node.inner.length) {
    twist.addEventListener("click", () =>
      unfold(dump, node.index, dump.rows[node.index].list === null || dump.rows[node.index].list.hidden),
    );
    dump.rows[node.index].twist = twist;
  } else {
    twist.setAttribute("aria-hidden", "true");
  }
  const last = node.at + node.size - 1;
  const place = node.size > 1 ? `${node.at}–${last}` : node.size ? `${node.at}` : "no bytes";
  const name = el(
    "button",
    { class: "name" },
    el("span", { class: "place" }, unseen("bytes "), place),
    el("b", {}, node.name),
    " ",
    node.inner.length && !node.meaning ? el("span", { class: "soft" }, node.value) : null,
    node.inner.length ? null : el("span", { class: "value" }, brief(node.value)),
    " ",
    node.meaning ? el("span", { class: "meaning" }, brief(node.meaning, 90)) : null,
  );
  name.addEventListener("click", () => select(dump, node.index));
  name.addEventListener("focus", () => heat(dump, node.index, "field"));
  row.append(twist, name);
  row.addEventListener("pointerenter", () => heat(dump, node.index, "field"));
  if (node.inner.length) {
    // Long lists and certificates wait to be opened; what the RFC calls fields is open.
    const open =
      unfolded() ||
      (node.depth < 3 && node.inner.length <= 8 && !/^(Certificate|ECDSA|SEQUENCE)/.test(node.name));
    unfold(dump, node.index, open);
  }
  return item;
}

function brief(text, most = 72) {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}

// Opens or shuts a node; its parts are made when they are first wanted.
function unfold(dump, index, open) {
  const kept = dump.rows[index];
  const node = dump.nodes[index];
  if (open && kept.list === null) {
    kept.list = el(
      "ul",
      {},
      node.inner.map((inner) => el("li", {}, branch(dump, dump.nodes[inner]))),
    );
    kept.item.append(kept.list);
  }
  if (kept.list) kept.list.hidden = !open;
  kept.twist.textContent = open ? "▾" : "▸";
  kept.twist.setAttribute("aria-expanded", String(open));
  kept.twist.setAttribute("aria-label", `${open ? "Close" : "Open"} ${node.name}`);
}

// The row of a node, or of the nearest around it that is to be seen.
function visibleRow(dump, index) {
  for (let at = index; at >= 0; at = dump.nodes[at].parent) {
    const row = dump.rows[at];
    if (row && row.row.offsetParent !== null) return row;
  }
  return null;
}

// Lights up a node for as long as something points at it or at one of its bytes; -1: nothing.
function heat(dump, index, from) {
  if (dump.hot === index) return;
  mark(dump, dump.hot, "hot", false);
  dump.hot = index;
  mark(dump, index, "hot", true);
  tell(dump, index);
  if (index < 0) return;
  const row = visibleRow(dump, index);
  if (from === "byte" && row) reveal(row.row, dump.element.querySelector(".tree"));
  const cell = dump.cells[dump.nodes[index].at];
  if (from === "field" && cell) reveal(cell, dump.element.querySelector(".hexdump"));
}

function mark(dump, index, name, on) {
  if (index < 0 || !dump.nodes[index]) return;
  const node = dump.nodes[index];
  for (let at = node.at; at < node.at + node.size; at += 1)
    if (dump.cells[at]) dump.cells[at].classList.toggle(name, on);
  for (const row of dump.rows) if (row && !on) row.row.classList.remove(name);
  const row = on ? visibleRow(dump, index) : null;
  if (row) row.row.classList.add(name);
}

function reveal(thing, box) {
  const outer = box.getBoundingClientRect();
  const inner = thing.getBoundingClientRect();
  if (box.scrollHeight <= box.clientHeight) return;
  if (inner.top < outer.top || inner.bottom > outer.bottom) {
    box.scrollTop += inner.top - outer.top - outer.height / 2;
  }
}

function tell(dump, index) {
  const node = dump.nodes[index >= 0 ? index : dump.pinned === null ? -1 : dump.pinned];
  if (!node) {
    dump.readout.textContent = `${plural(dump.raw.length, "byte")}. Point at a byte or at a field; click to keep it.`;
    return;
  }
  const names = [];
  for (let at = node.index; at >= 0; at = dump.nodes[at].parent) names.unshift(dump.nodes[at].name);
  const last = node.at + node.size - 1;
  const bytes = node.size === 1 ? `byte ${node.at}` : `bytes ${node.at}–${last}`;
  dump.readout.textContent = `${node.size ? bytes : "no bytes"} (${plural(node.size, "byte")}): ${names.join(" › ")}`;
}

// Keeps a node marked, says what it is about, and puts it into the address.
function select(dump, index) {
  if (index < 0) return;
  pin(dump, index);
  const node = dump.nodes[index];
  if (node.size) dump.linked([node.at, node.at + node.size - 1]);
}

function pin(dump, index) {
  if (dump.pinned !== null) {
    mark(dump, dump.pinned, "pinned", false);
    const before = dump.rows[dump.pinned];
    if (before && before.about) before.about.remove();
  }
  dump.pinned = index;
  const around = [];
  for (let at = dump.nodes[index].parent; at >= 0; at = dump.nodes[at].parent) around.unshift(at);
  for (const at of around) unfold(dump, at, true);
  paint(dump);
  const kept = dump.rows[index];
  kept.about = aboutOf(dump, dump.nodes[index]);
  kept.row.after(kept.about);
  reveal(kept.row, dump.element.querySelector(".tree"));
  const cell = dump.cells[dump.nodes[index].at];
  if (cell) reveal(cell, dump.element.querySelector(".hexdump"));
  tell(dump, -1);
}

function paint(dump) {
  if (dump.pinned !== null) mark(dump, dump.pinned, "pinned", true);
}

// The node that is just this range; otherwise the smallest around it.
function nodeAt(dump, [from, to]) {
  let found = -1;
  for (const node of dump.nodes) {
    const around = node.size && node.at <= from && to < node.at + node.size;
    if (around && (found < 0 || node.size <= dump.nodes[found].size)) found = node.index;
    if (node.at === from && node.size === to - from + 1) return node.index;
  }
  return found;
}

// What a node is about; an item or a content is about what it is in.
function aboutOf(dump, node) {
  let from = node;
  while (!data.about[from.about] && from.parent >= 0) from = dump.nodes[from.parent];
  const about = data.about[from.about] || {};
  return el(
    "div",
    { class: "about" },
    about.text ? el("p", {}, from === node ? null : el("b", {}, `${from.name}: `), about.text) : null,
    about.odd ? el("p", {}, el("b", {}, "Why so: "), about.odd) : null,
    el(
      "p",
      {},
      "Value: ",
      el("span", { class: "hex" }, node.value || "(empty)"),
      node.meaning ? `, ${node.meaning}` : "",
    ),
    about.rfc ? el("p", {}, references(about.rfc)) : null,
  );
}
