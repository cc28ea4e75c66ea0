// The handshake as a sequence: two lanes, a row each step, a box around what one encrypted record holds.

function sequenceSection() {
  if (!connection().steps.length) return null;
  const seen =
    connection().sees === "both" ? "Both sides are told." : `Seen from the ${connection().sees}'s side.`;
  const stands = connection().still && connection().steps.length > 1;
  const clock = stands ? " The clock stood still, as in a demonstration with a seed." : "";
  return el(
    "section",
    { id: "sequence", "aria-labelledby": "sequence-title" },
    el("h2", { id: "sequence-title" }, "The handshake"),
    el(
      "p",
      {},
      `${plural(stepCount(), "step")}, in the order of the wire. ${seen}${clock} `,
      el("kbd", {}, "←"),
      " and ",
      el("kbd", {}, "→"),
      " step through, ",
      el("kbd", {}, "/"),
      " searches.",
    ),
    el(
      "div",
      { class: `handshake${connection().still ? " still" : ""}${view.all ? " open" : ""}` },
      el(
        "div",
        { class: `sequence${view.wire ? " wire" : ""}` },
        el(
          "div",
          { class: "lane-heads", "aria-hidden": "true" },
          el("span", { class: "client" }, icon("client"), "client"),
          el("span", { class: "server" }, "server", icon("server")),
        ),
        el("ol", { "aria-label": "Steps" }, sequenceRows()),
        legend(),
      ),
      el("div", { class: "pane", id: "pane" }),
    ),
  );
}

function stepCount() {
  return (connection().steps.at(-1) || { number: 0 }).number;
}

function legend() {
  return el(
    "div",
    { class: "legend", "aria-hidden": "true" },
    el("span", {}, el("i", {}), "in the clear"),
    el("span", {}, el("i", { class: "sealed" }), icon("lock"), "encrypted"),
    el("span", {}, el("i", { class: "boxed" }), "one encrypted record"),
  );
}

// Steps in a row whose messages came in the same encrypted record share a frame.
function sequenceRows() {
  const made = [];
  const framed = new Set();
  let frame = null;
  let before = null;
  made.push(...closedRows(0));
  for (const step of connection().steps) {
    const pause = before ? pauseOf(before, step) : null;
    const left = before ? leftOut(before, step) : null;
    if (pause || left) {
      made.push(...[pause, left].filter(Boolean));
      frame = null;
    }
    before = step;
    const record = frameOf(step);
    if (!record) {
      frame = null;
      made.push(stepRow(step));
    } else if (frame && frame.number === record.number) {
      frame.list.append(stepRow(step));
    } else {
      frame = { number: record.number, list: el("ol", {}) };
      frame.list.append(stepRow(step));
      made.push(frameRow(record, frame.list, framed.has(record.number)));
      framed.add(record.number);
    }
    const closed = closedRows(step.number);
    if (closed.length) frame = null;
    made.push(...closed);
  }
  return made;
}

const MOST_CLOSED = 100; // in one place

// Encrypted records whose content nobody has seen: boxes that do not open.
function closedRows(after) {
  const closed = connection().records.filter((record) => record.closed && record.after === after);
  const rows = closed.slice(0, MOST_CLOSED).map((record) => frameRow(record, null, false));
  const rest = closed.length - rows.length;
  if (rest > 0) rows.push(noteRow(`and ${plural(rest, "closed record")} more`));
  return rows;
}

function noteRow(text) {
  return el("li", { class: "pause" }, el("span", {}), el("span", { class: "lanes" }, text));
}

function frameOf(step) {
  if (step.kind !== "message") return null;
  const numbers = step.parts.flatMap((part) => part.records || []);
  const record = numbers.length ? recordOf(numbers[0]) : null;
  return record && record.encrypted ? record : null;
}

// list: the steps within; none in a record that stays closed.
function frameRow(record, list, again) {
  const item = el("li", {
    class: `frame ${record.side}${again ? " again" : ""}`,
    "data-record": record.number,
  });
  const toggle = list ? el("button", { class: "toggle", type: "button" }) : el("span", {});
  const turn = (shut) => {
    item.classList.toggle("shut", shut || !list);
    if (!list) return;
    toggle.textContent = shut ? "▸" : "▾";
    toggle.setAttribute("aria-expanded", String(!shut));
    toggle.setAttribute("aria-label", `${shut ? "Open" : "Shut"} ${recordName(record)}`);
  };
  toggle.addEventListener("click", () => turn(!item.classList.contains("shut")));
  turn(view.wire);
  item.turn = turn;
  const looks = record.outside === record.inside ? record.outside : `looks like ${record.outside}`;
  const pick = el(
    "button",
    {
      class: "pick",
      type: "button",
      id: again ? null : `record-${record.number}`,
      "data-pick": `record-${record.number}`,
    },
    el(
      "span",
      { class: "lanes" },
      el(
        "span",
        { class: "label" },
        icon("lock"),
        ` ${list ? "" : "closed: "}${recordName(record)}${again ? ", continued" : ""}: ${plural(record.size, "byte")}, ${looks}`,
        unseen(`, ${record.side} to ${other(record.side)}`),
      ),
      el("span", { class: "arrow", "aria-hidden": "true" }),
    ),
  );
  pick.addEventListener("click", () => go({ record: record.number }));
  item.append(
    el("div", { class: "frame-head" }, toggle, pick),
    el("div", { class: "inline" }),
    ...(list ? [list] : []),
  );
  return item;
}

// A page shows of a long connection its beginning and its end.
function leftOut(before, step) {
  const count = step.number - before.number - 1;
  return count > 0 ? noteRow(`${plural(count, "step")} not shown`) : null;
}

// Where nothing happened for long, by the measure of the whole, the axis says so.
function pauseOf(before, step) {
  const steps = connection().steps;
  const whole = steps[steps.length - 1].time - steps[0].time;
  const gap = step.time - before.time;
  if (gap < 1000 || gap < whole * 0.12) return null;
  return noteRow(`${duration(gap)} pass`);
}

function stepRow(step) {
  const fate = step.ok ? "" : " failed";
  const kind = step.kind === "message" ? (step.clear ? "message clear" : "message closed") : "action";
  const pick = el(
    "button",
    { class: "pick", type: "button", id: `step-${step.number}`, "data-pick": `step-${step.number}` },
    el("span", { class: "number" }, String(step.number)),
    connection().still ? null : el("span", { class: "time" }, duration(step.time)),
    el("span", { class: "lanes" }, step.kind === "message" ? arrowOf(step) : bubbleOf(step)),
  );
  pick.addEventListener("click", () => go({ step: step.number }));
  return el("li", { class: `step ${kind} ${step.side}${fate}` }, pick, el("div", { class: "inline" }));
}

function arrowOf(step) {
  return [
    el(
      "span",
      { class: "label" },
      step.ok ? null : [icon("failed"), " "],
      el("span", { class: "title" }, step.title),
      el(
        "span",
        { class: "carried" },
        `${plural(step.size, "byte")}, `,
        step.clear ? null : [icon("lock"), " "],
        step.protection,
      ),
      unseen(`, ${step.side} to ${other(step.side)}`),
    ),
    el("span", { class: "arrow", "aria-hidden": "true" }),
  ];
}

function bubbleOf(step) {
  const short = briefOf(step);
  return el(
    "span",
    { class: "bubble" },
    icon(iconOf(step)),
    " ",
    step.onlooker ? el("span", { class: "onlooker" }, "onlooker ") : unseen(`the ${step.side} `),
    step.title,
    short ? el("span", { class: "brief" }, short) : null,
  );
}

function iconOf(step) {
  if (step.sealed) return "lock";
  if (!step.ok) return "failed";
  const kinds = new Set(step.parts.map((part) => part.kind));
  if (kinds.has("choice")) return "choose";
  return kinds.has("check") || kinds.has("certificate") ? "verify" : "derive";
}

// An action in a few words: what was chosen, made or found.
function briefOf(step) {
  const chosen = step.parts
    .filter((part) => part.kind === "choice" && part.chosen)
    .map((part) => part.chosen);
  if (chosen.length) return chosen.join(" · ");
  const path = step.parts.find((part) => part.kind === "certificate");
  if (path) return path.path.map((one) => one.subject).join(" ← ");
  const wrong = step.parts.find((part) => part.kind === "check" && !part.ok);
  if (wrong) return `${wrong.title}: ${wrong.found}`;
  const keys = step.parts
    .filter((part) => part.kind === "secret")
    .map((part) => keyOf(part.key))
    .filter(Boolean);
  if (keys.length && !step.parts.some((part) => part.kind === "check")) return plural(keys.length, "value");
  return "";
}
