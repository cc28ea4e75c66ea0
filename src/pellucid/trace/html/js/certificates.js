// Certificate paths, leaf to root, and the choices: what both sides could have had.

function certificatesSection() {
  const parts = connection().steps.flatMap((step) =>
    step.parts.filter((part) => part.kind === "certificate").map((part) => ({ part, step })),
  );
  if (!parts.length) return null;
  return el(
    "section",
    { id: "certificates", "aria-labelledby": "certificates-title" },
    el(
      "h2",
      { id: "certificates-title" },
      parts.length > 1 ? "The certificate paths" : "The certificate path",
    ),
    el(
      "p",
      {},
      parts.every(({ part }) => part.ok && part.judged)
        ? "From the certificate that was shown to a root that was trusted before: each is vouched for by the next."
        : "From the certificate that was shown upwards: each is to be vouched for by the next.",
    ),
    el(
      "div",
      { class: "paths" },
      parts.map(({ part, step }) =>
        el(
          "div",
          {},
          el(
            "h3",
            {},
            part.judged ? `The ${part.whose}'s, as judged by the ${part.judge} ` : `The ${part.whose}'s `,
            el("span", { class: "small" }, "(", linkTo({ step: step.number }, `step ${step.number}`), ")"),
          ),
          pathOf(part),
        ),
      ),
    ),
  );
}

function pathOf(part) {
  const items = part.path.flatMap((one, index) => [
    index ? el("p", { class: "signed" }, part.ok ? "signed by" : "then comes") : null,
    certificateCard(one, index, part),
  ]);
  return el("div", {}, el("p", {}, pathVerdict(part)), el("div", { class: "path" }, items));
}

function pathVerdict(part) {
  if (part.judged || !part.ok) return verdict(part.ok, "the path holds", "the path does not hold");
  const words =
    "the signatures hold; whether to trust the last of them was not judged, as no roots were given";
  return el("span", { class: "verdict open" }, words);
}

function isFault(verdict) {
  return !["ok", "not judged", "not checked"].includes(verdict);
}

// When it was judged, in milliseconds, against its dates: -1 too early, 1 too late.
function outOfDate(one) {
  const now = connection().started * 1000;
  if (now > Date.parse(one.not_after)) return 1;
  return now < Date.parse(one.not_before) ? -1 : 0;
}

// What is wrong with it: what was found, or, where something else was found first, what its dates say.
function faultOf(one, part) {
  if (isFault(one.verdict)) return worded(one.verdict);
  return part.ok ? "" : { "-1": "not valid yet", 0: "", 1: "expired" }[outOfDate(one)];
}

function roleOf(one, index, part) {
  if (index === 0)
    return one.subject === one.issuer && part.path.length === 1 ? "leaf, signed by itself" : "leaf";
  if (one.subject === one.issuer) return "root";
  return "intermediate authority";
}

function certificateCard(one, index, part) {
  const wrong = faultOf(one, part);
  const bytes = bytesOfCertificate(one, index, part.whose);
  return el(
    "div",
    { class: `certificate${wrong ? " bad" : ""}` },
    el("h4", {}, one.subject || "(no subject)", el("span", { class: "role" }, roleOf(one, index, part))),
    wrong ? el("p", {}, verdict(false, "", wrong)) : null,
    one.ok || wrong ? null : el("p", { class: "small soft" }, one.verdict),
    el(
      "dl",
      { class: "rows" },
      one.names.length ? [el("dt", {}, "names"), el("dd", {}, one.names.join(", "))] : null,
      el("dt", {}, "issuer"),
      el("dd", {}, one.issuer),
      el("dt", {}, "valid"),
      el("dd", {}, `${dated(one.not_before)} to ${dated(one.not_after)}`, lifeOf(one)),
      el("dt", {}, "key"),
      el("dd", {}, one.key),
      el("dt", {}, "signed with"),
      el("dd", {}, one.signature_algorithm),
      bytes ? [el("dt", {}, "its bytes"), el("dd", {}, bytes)] : null,
    ),
    testsOf(one, index, part),
  );
}

// How much of its life was left when it was judged.
function lifeOf(one) {
  const [from, to] = [Date.parse(one.not_before), Date.parse(one.not_after)];
  const now = connection().started * 1000;
  if (!(to > from)) return null;
  const day = 86400000;
  const over = outOfDate(one) !== 0;
  const words =
    now > to
      ? `it had expired ${plural(Math.floor((now - to) / day), "day")} before`
      : now < from
        ? `it was to begin ${plural(Math.ceil((from - now) / day), "day")} later`
        : `${plural(Math.floor((to - now) / day), "day")} of ${Math.round((to - from) / day)} were left`;
  const bar = el("span", {});
  bar.style.width = `${Math.max(0, Math.min(100, (100 * (to - now)) / (to - from)))}%`;
  return [
    el("span", { class: `life${over ? " over" : ""}`, "aria-hidden": "true" }, bar),
    el("span", { class: "small soft" }, words),
  ];
}

// What was checked, in words. Of a path that does not hold only what is known to be wrong is said.
function testsOf(one, index, part) {
  if (!part.ok) return null;
  const last = index === part.path.length - 1;
  if (!part.judged) {
    const signed = last ? null : el("li", {}, verdict(true, "signed by the next one"));
    return el("ul", { class: "tests" }, signed);
  }
  const tests =
    index === 0
      ? [
          part.whose === "server" ? "the name asked for is among its names" : null,
          `it may serve as a ${part.whose}`,
        ]
      : ["it may sign certificates"];
  tests.push("within its dates", "key and algorithm are strong enough");
  tests.push(last ? "trusted here before" : "signed by the next one");
  return el(
    "ul",
    { class: "tests" },
    tests.filter(Boolean).map((text) => el("li", {}, verdict(true, text))),
  );
}

// Where in the Certificate message it stands; roots are mostly not sent.
function bytesOfCertificate(one, index, whose) {
  for (const step of connection().steps) {
    if (step.side !== whose) continue;
    for (const [number, part] of messagesOf(step).entries()) {
      if (part.name !== "Certificate") continue;
      const found = flattened(part.fields).filter((node) => node.name === "Certificate" && node.parts);
      const node = found.find(
        (each) => sameName(each.meaning, one.subject) && (index > 0 || each === found[0]),
      );
      if (node) {
        const range = [node.at, node.at + node.size - 1];
        return linkTo(
          { step: step.number, part: number, range },
          `step ${step.number}, bytes ${range[0]}–${range[1]}`,
        );
      }
    }
  }
  return null;
}

// RFC 4514 writes a name from its end, and the certificate has it from its beginning.
function sameName(one, another) {
  const pieces = (text) => (text || "").split(/,\s*/).sort().join("\n");
  return pieces(one) === pieces(another);
}

function choicesSection() {
  const parts = connection().steps.flatMap((step) => step.parts.filter((part) => part.kind === "choice"));
  if (!parts.length) return null;
  return el(
    "section",
    { id: "choices", "aria-labelledby": "choices-title" },
    el("h2", { id: "choices-title" }, "The choices"),
    el("p", {}, "What both sides could do, what was taken, and by which rule."),
    el(
      "div",
      { class: "choices" },
      parts.map((part) => choicePart(part, "h3")),
    ),
  );
}
