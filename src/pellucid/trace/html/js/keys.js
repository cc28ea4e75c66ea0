// The key schedule: each secret below what it is made from, the client's to the left, the server's to the right.

const COLUMNS = { client: 1, both: 2, server: 3 };

function keysSection() {
  const keys = connection().keys;
  if (!keys.length) return null;
  const hidden = keys.some((key) => key.value && key.value.hidden);
  const graph = graphOf(keys);
  return el(
    "section",
    { id: "keys", "aria-labelledby": "keys-title" },
    el("h2", { id: "keys-title" }, "The key schedule"),
    el(
      "p",
      {},
      "From the top down: what goes in, what comes of it. Choose a secret to see its formula, ",
      "where its inputs come from and where it is used",
      hidden ? ". The values are not shown." : ", and how to compute it again.",
    ),
    view.all
      ? [
          graph,
          el(
            "div",
            { class: "all-secrets" },
            keys.map((key) => keyDetails(key)),
          ),
        ]
      : el("div", { class: "schedule" }, graph, el("div", { class: "pane", id: "key-pane" })),
  );
}

function graphOf(keys) {
  const cells = new Map();
  for (const key of keys) {
    const place = `${key.rank} ${key.lane}`;
    if (!cells.has(place)) cells.set(place, []);
    cells.get(place).push(key);
  }
  const graph = el(
    "div",
    { class: "graph" },
    el("p", { class: "head client" }, "for what the client sends"),
    el("p", { class: "head" }, "for both"),
    el("p", { class: "head server" }, "for what the server sends"),
  );
  for (const [place, group] of [...cells].sort((a, b) => parseInt(a[0], 10) - parseInt(b[0], 10))) {
    const [rank, lane] = place.split(" ");
    const cell = el(
      "div",
      { class: `cell ${lane}`, "data-rank": rank },
      group.map((key) => keyButton(key)),
    );
    cell.style.gridColumn = COLUMNS[lane];
    cell.style.gridRow = Number(rank) + 2;
    graph.append(cell);
  }
  const wires = document.createElementNS(SVG, "svg");
  wires.setAttribute("class", "wires");
  wires.setAttribute("aria-hidden", "true");
  graph.prepend(wires);
  return graph;
}

function keyButton(key) {
  const value = key.value || (key.parts || [])[0] || {};
  return el(
    "button",
    {
      class: `secret ${key.lane}${key.keys ? " keys" : ""}`,
      type: "button",
      id: `key-${key.id}`,
      "data-pick": `key-${key.id}`,
      on: { click: () => go({ key: key.id }) },
    },
    el("b", {}, breakable(key.name)),
    el(
      "span",
      { class: "hex" },
      value.hex !== undefined ? shortHex(value.hex, 12) : `${value.size} bytes, not shown`,
    ),
  );
}

function sourcesOf(key) {
  return key.inputs
    .map((input) => input.from)
    .filter((from) => from && from.key && from.connection === undefined)
    .map((from) => from.key);
}

// Lines from the bottom of what goes in to the top of what comes out; drawn when the places are known.
function drawWires() {
  for (const graph of document.querySelectorAll(".graph")) {
    const wires = graph.querySelector(".wires");
    wires.replaceChildren();
    const origin = graph.getBoundingClientRect();
    if (!origin.width) continue;
    const floors = floorsOf(graph, origin);
    for (const key of connection().keys) {
      const lower = graph.querySelector(`#key-${key.id}`);
      for (const source of sourcesOf(key)) {
        const upper = graph.querySelector(`#key-${source}`);
        const path = document.createElementNS(SVG, "path");
        path.setAttribute("d", wayOf(upper, lower, origin, floors));
        path.dataset.from = source;
        path.dataset.to = key.id;
        wires.append(path);
      }
    }
  }
  markKey();
}

// Where each row of the graph ends: lines turn aside below it, so that they pass behind no card.
function floorsOf(graph, origin) {
  const floors = new Map();
  for (const cell of graph.querySelectorAll(".cell")) {
    const rank = Number(cell.dataset.rank);
    floors.set(
      rank,
      Math.max(floors.get(rank) || 0, cell.lastElementChild.getBoundingClientRect().bottom - origin.top),
    );
  }
  return floors;
}

function wayOf(upper, lower, origin, floors) {
  const from = upper.getBoundingClientRect();
  const to = lower.getBoundingClientRect();
  const x1 = from.left + from.width / 2 - origin.left;
  const y1 = from.bottom - origin.top;
  const floor = Math.max(y1, floors.get(Number(upper.parentElement.dataset.rank)) || y1);
  const x2 = to.left + to.width / 2 - origin.left;
  const y2 = to.top - origin.top;
  const first =
    lower === lower.parentElement.firstElementChild || lower.parentElement.classList.contains("both");
  if (first) {
    const bend = Math.max(10, (y2 - floor) / 2);
    return `M${x1} ${y1} V${floor} C${x1} ${floor + bend} ${x2} ${y2 - bend} ${x2} ${y2}`;
  }
  // Below another card of its cell: around that, and in from the side.
  const left = lower.parentElement.classList.contains("client");
  const edge = (left ? to.right : to.left) - origin.left;
  const aside = edge + (left ? 12 : -12);
  const start = left ? from.right - origin.left - 10 : from.left - origin.left + 10;
  const begin = Math.abs(x1 - x2) < 2 ? start : x1;
  const middle = to.top + to.height / 2 - origin.top;
  const turn = `C${begin} ${floor + 12} ${aside} ${floor} ${aside} ${floor + 16}`;
  return `M${begin} ${y1} V${floor} ${turn} V${middle - 8} Q${aside} ${middle} ${edge} ${middle}`;
}

// The chosen secret, what it is made from and what is made of it.
function markKey() {
  const key = state.key ? keyOf(state.key) : null;
  const near = new Set(key ? [...sourcesOf(key), ...key.used_by] : []);
  for (const button of document.querySelectorAll(".graph .secret")) {
    const id = button.id.slice("key-".length);
    if (key && id === key.id) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
    button.classList.toggle("related", near.has(id));
  }
  for (const path of document.querySelectorAll(".wires path")) {
    const hot = key && (path.dataset.from === key.id || path.dataset.to === key.id);
    path.classList.toggle("hot", Boolean(hot));
    if (hot) path.parentNode.append(path);
  }
}

function keyDetails(key) {
  return el(
    "article",
    { class: `details ${key.lane}`, "aria-label": `Secret ${key.name}` },
    el(
      "header",
      {},
      el("h3", {}, breakable(key.name)),
      el(
        "p",
        { class: "meta" },
        `known to the ${key.sides.join(" and the ")}`,
        key.rfc ? [" · ", references(key.rfc)] : null,
      ),
    ),
    keyBody(key),
  );
}

function keyBody(key) {
  const hidden = (key.value || key.parts[0]).hex === undefined;
  const told = connection()
    .steps.filter((step) => step.parts.some((part) => part.key === key.id))
    .map((step) => step.number);
  const values = key.value ? [["value", key.value]] : key.parts.map((part) => [part.name, part]);
  return el(
    "div",
    {},
    key.text ? el("p", {}, key.text) : null,
    el("p", { class: "formula" }, `= ${key.formula}`),
    el(
      "dl",
      { class: "rows" },
      values.flatMap(([name, value]) => [el("dt", {}, name), el("dd", { class: "value" }, valueOf(value))]),
      key.used_for ? [el("dt", {}, "used for"), el("dd", {}, key.used_for)] : null,
      key.used_by.length ? [el("dt", {}, "goes into"), el("dd", {}, keyLinks(key.used_by))] : null,
      told.length ? [el("dt", {}, "in steps"), el("dd", {}, stepLinks(told))] : null,
    ),
    key.inputs.length ? inputsOf(key) : null,
    recomputeBox(key.recompute, hidden) || noRecompute(key, hidden),
  );
}

// A key exchange needs a private key, which mostly is in no trace.
function noRecompute(key, hidden) {
  const why = hidden ? "" : whyNot(key);
  return why ? el("p", { class: "small soft" }, why) : null;
}

function whyNot(key) {
  if (key.formula.startsWith("RSA-Decrypt"))
    return "To compute it again takes the private key of the server's certificate, which is in no trace.";
  if (key.inputs.some((input) => input.name === "our_private_key"))
    return "Python computes it as pow(peer_share, our_private_key, dh_p), with the dh_p of ServerKeyExchange.";
  if (key.formula.includes("private key"))
    return "To compute it again takes the private key of one of the sides, which is not in this trace: it is used once and thrown away.";
  return key.formula.includes("random") ? "There is nothing to compute: the client drew it at random." : "";
}

function keyLinks(ids) {
  return ids.flatMap((id, index) => [index ? ", " : "", linkTo({ key: id }, breakable(keyOf(id).name))]);
}

function inputsOf(key) {
  return el(
    "table",
    { class: "inputs" },
    el("caption", { class: "unseen" }, `Inputs of ${key.name}`),
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        ["input", "value", "from"].map((name) => el("th", { scope: "col" }, name)),
      ),
    ),
    el(
      "tbody",
      {},
      key.inputs.map((input) =>
        el(
          "tr",
          {},
          el("th", { scope: "row" }, input.name),
          el("td", {}, inputValue(input)),
          el("td", {}, originOf(input), input.recompute ? hashFold(input) : null),
        ),
      ),
    ),
  );
}

function inputValue(input) {
  if (input.hex === undefined || input.hex.length <= 128) return valueOf(input);
  return el(
    "details",
    { open: unfolded() },
    el("summary", { class: "hex" }, `${shortHex(input.hex, 16)} (${plural(input.hex.length / 2, "byte")})`),
    valueOf(input),
  );
}

function hashFold(input) {
  return input.from.messages
    ? el(
        "div",
        { class: "small" },
        folded(
          "Hash them again",
          input.recompute.map((one) => commandBox(one)),
        ),
      )
    : null;
}

// The card that an input came from.
function originOf(input) {
  const from = input.from;
  if (!from) return input.text !== undefined ? el("span", { class: "soft" }, "fixed text") : zeros(input);
  if (from.connection !== undefined) {
    const key = keyOf(from.key, from.connection - 1);
    return el(
      "a",
      { href: hashOf({ key: from.key }, from.connection - 1) },
      `connection ${from.connection}: ${key ? key.name : from.key}`,
    );
  }
  if (from.key) return linkTo({ key: from.key }, "its card");
  if (from.step)
    return linkTo(
      { step: from.step, part: from.part, range: [from.at, from.to] },
      `step ${from.step}, bytes ${from.at}–${from.to}`,
    );
  if (!from.messages) return el("span", { class: "soft" }, "the hash of nothing");
  const what = from.messages === 1 ? "the message" : `the ${from.messages} messages`;
  return el(
    "span",
    {},
    `the hash of ${what} of `,
    from.hash_of.length > 1 ? "steps " : "step ",
    stepLinks(from.hash_of),
  );
}

function zeros(input) {
  return input.hex !== undefined && /^0*$/.test(input.hex) ? el("span", { class: "soft" }, "zeros") : null;
}
