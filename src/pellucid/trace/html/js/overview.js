// The beginning of the page: what this is, how it ended and, where it failed, why.

function bannerOf() {
  const notes = [];
  if (data.banner)
    notes.push(
      el(
        "div",
        { class: "notice", role: "note" },
        el("b", {}, "Secrets are shown."),
        el("span", {}, data.banner),
      ),
    );
  return notes;
}

function introSection() {
  const shown = connection();
  const outcome = shown.outcome;
  const chips = [];
  if (outcome.status === "connected") chips.push(chip("good", icon("verify"), "connected"));
  else if (outcome.status === "failed") chips.push(chip("bad", icon("failed"), "failed"));
  else chips.push(chip("open", "how it ended is not known"));
  if (sealedSteps().length) chips.push(chip("open", icon("lock"), "not all of it could be opened"));
  for (const name of [outcome.protocol, outcome.cipher_suite, outcome.group])
    if (name) chips.push(chip("", el("span", {}, breakable(name))));
  return el(
    "div",
    { class: "intro" },
    bannerOf(),
    el("h1", {}, data.heading),
    data.note ? el("p", { class: "soft" }, data.note) : null,
    el("div", { class: "chips" }, chips),
    outcome.status === "unknown" && outcome.text ? el("p", {}, outcome.text) : null,
    connections.length > 1 ? tabsOf() : null,
    outcome.failure ? failureBox(outcome.failure) : null,
    sealedBox(),
  );
}

function sealedSteps() {
  return connection().steps.filter((step) => step.sealed);
}

// What stays closed, and why: who opens a capture wants to know that first. Mostly it is so for both sides.
function sealedBox() {
  const reasons = new Map();
  for (const step of sealedSteps()) reasons.set(step.title, [...(reasons.get(step.title) || []), step]);
  if (!reasons.size) return null;
  return el(
    "section",
    { class: "closed-box", "aria-label": "What stays closed" },
    [...reasons].map(([title, steps]) => sealedReason(title, steps)),
  );
}

function sealedReason(title, steps) {
  const [first] = steps;
  const who = steps.map((step) => `the ${step.side}`).join(" and ");
  const rows = (first.rows || []).flatMap((row) => [el("dt", {}, row.label), el("dd", {}, row.value)]);
  return [
    el(
      "p",
      {},
      icon("lock"),
      el("b", {}, ` What ${who} ${steps.length > 1 ? "send" : "sends"} ${title}`),
      steps.length > 1 ? " (steps " : " (step ",
      stepLinks(steps.map((step) => step.number)),
      `). ${first.purpose}`,
    ),
    el("dl", { class: "rows" }, rows),
  ];
}

function chip(kind, ...content) {
  return el("span", { class: `chip ${kind}` }, content);
}

function tabsOf() {
  return el(
    "nav",
    { class: "tabs", "aria-label": "Connections" },
    connections.map((one, index) =>
      el(
        "a",
        {
          class: "tool",
          href: hashOf({ section: "sequence" }, index),
          "aria-current": index === state.index ? "true" : null,
          "aria-pressed": null,
        },
        `${index === state.index ? "✓ " : ""}Connection ${index + 1}: ${one.title}`,
      ),
    ),
  );
}

function failureBox(failure) {
  const step = connection().steps.find((one) => !one.ok);
  const rows = [
    ["Observed", failure.observed],
    ["Step", failure.step],
    ["Alert", alertOf(failure)],
    ...(failure.evidence || []).map((fact, index) => [index ? "" : "Evidence", `${fact.what}: ${fact.found}`]),
    ["Inferred", failure.inferred],
    ["Possible", failure.possible],
    ["Fix", failure.fix],
    ["Confirm", failure.confirm ? el("code", {}, failure.confirm) : ""],
    ["Where", step ? linkTo({ step: step.number }, `step ${step.number}: ${actorOf(step)} ${step.title}`) : ""],
    ...unreadRows(),
    ["Read on", references(failure.rfc)],
  ].filter(([, value]) => value);
  return el(
    "section",
    { class: "failure", id: "failure", "aria-labelledby": "failure-title" },
    el("h2", { id: "failure-title" }, icon("failed"), ` It failed: ${worded(failure.id)}`),
    el(
      "dl",
      { class: "facts" },
      rows.flatMap(([label, value]) => [el("dt", {}, label), el("dd", {}, value)]),
    ),
  );
}

function alertOf(failure) {
  if (!failure.alert) return "";
  const side = connection().outcome.side;
  return failure.direction === "received"
    ? `${failure.alert}, sent by the ${other(side)}: it found the fault`
    : `${failure.alert}, sent by the ${side}, which found the fault`;
}

// Bytes that came and were no TLS, or no more: often they say themselves what they are.
function unreadRows() {
  return connection().unread.map((digits) => {
    const codes = (digits.match(/../g) || []).map((byte) => parseInt(byte, 16));
    const text = codes
      .map((code) => (code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : "·"))
      .join("");
    return [
      "Not read",
      [el("code", {}, text), el("br"), "as bytes: ", el("span", { class: "hex" }, hexOf(digits))],
    ];
  });
}

function overviewSection() {
  const shown = connection();
  const rows = shown.summary.filter((row) => row.value);
  if (!rows.length && !shown.dropped) return null;
  return el(
    "section",
    { id: "overview", "aria-labelledby": "overview-title" },
    el("h2", { id: "overview-title" }, "What it came to"),
    el("p", {}, shown.outcome.text || ""),
    el(
      "dl",
      { class: "facts" },
      rows.flatMap((row) => [
        el("dt", {}, row.label),
        el("dd", {}, row.note ? `${row.value} (${row.note})` : row.value),
      ]),
    ),
    shown.dropped
      ? el("p", { class: "soft" }, `${plural(shown.dropped, "later record")} were not kept.`)
      : null,
  );
}
