// The parts of a step, each by its kind.

function partOf(part, step, dumps) {
  switch (part.kind) {
    case "message":
      return messagePart(part, step, dumps);
    case "choice":
      return choicePart(part);
    case "check":
      return checkPart(part);
    case "certificate":
      return el("section", { class: "part" }, pathOf(part));
    case "data":
      return el(
        "section",
        { class: "part" },
        el("p", {}, `${plural(part.size, "byte")} of the application's. What they say is not kept.`),
        recordLine(part),
      );
    case "alert":
      return el("section", { class: "part" }, el("p", {}, `An alert: ${part.name}.`), recordLine(part));
    default:
      return null;
  }
}

function messagePart(part, step, dumps) {
  const index = dumps.length;
  const several = messagesOf(step).length > 1;
  const dump = dumpOf(part, (range) => {
    go({ step: step.number, part: index, range }, { quiet: true });
  });
  dumps.push(dump);
  const key = part.key ? keyOf(part.key) : null;
  return el(
    "section",
    { class: "part" },
    el("h4", {}, several ? `${part.name}, number ${index + 1}: bytes and fields` : "Bytes and fields"),
    recordLine(part),
    fingerprintsOf(part),
    key
      ? el("p", { class: "small soft" }, "How it is computed: ", linkTo({ key: key.id }, key.name), ".")
      : null,
    dump.element,
  );
}

// Names by which a ClientHello is known in logs and lists, and what they are made from.
function fingerprintsOf(part) {
  const found = part.fingerprints;
  if (!found) return null;
  const row = (name, value) => [el("dt", {}, name), el("dd", { class: "mono" }, value || "(empty)")];
  return el(
    "details",
    { class: "fingerprints", open: unfolded() },
    el(
      "summary",
      { class: "small soft" },
      "Known by its form as JA4 ",
      el("code", {}, found.ja4),
      ", JA3 ",
      el("code", {}, found.ja3),
    ),
    el(
      "p",
      { class: "small" },
      "What a client offers, and in which order, follows from the program that it is; so these two tell programs apart. Neither counts GREASE, and JA4 sorts first.",
    ),
    el(
      "dl",
      { class: "rows" },
      row("JA4 before hashing", found.ja4_raw),
      row("JA3 before hashing", found.ja3_text),
    ),
  );
}

function choicePart(part, heading = "h4") {
  const chosen = part.chosen || (part.ok ? "none" : "nothing in common");
  const lists = part.sides
    .filter((side) => side.has.length)
    .map((side) => {
      // Names that were asked for are no candidates, and not to be compared with those.
      const asked = /certificate|server_name/.test(part.what) && side.side !== part.side;
      const rest = asked
        ? null
        : part.sides.find((one) => one !== side && !/certificate|server_name/.test(part.what));
      return el(
        "div",
        { class: side.side },
        el("h5", {}, `${side.side} ${asked ? "asked for" : "has"}`),
        el(
          "ul",
          {},
          side.has.map((name) => candidate(name, part.chosen, rest ? rest.has : null)),
        ),
      );
    });
  return el(
    "section",
    { class: "part choice" },
    el(heading, {}, `${part.title}: `, el("span", { class: "chosen-name" }, breakable(chosen))),
    part.ok ? null : verdict(false, "", "this ends the handshake"),
    part.text ? el("p", { class: "small" }, part.text, " ", references(part.rfc)) : null,
    lists.length ? el("div", { class: "candidates" }, lists) : null,
    part.rule ? el("p", { class: "rule" }, el("b", {}, "Rule: "), part.rule, ".") : null,
    part.pieces && part.pieces.length ? piecesOf(part.pieces) : null,
  );
}

// Whether both sides have it: said in a word, not by the colour alone.
function candidate(name, chosen, others) {
  const common = others && others.includes(name);
  if (name === chosen)
    return el("li", { class: "chosen" }, breakable(name), " ", el("span", { class: "tag" }, "✓ chosen"));
  if (common)
    return el("li", { class: "common" }, breakable(name), " ", el("span", { class: "tag" }, "both"));
  return el("li", { class: "alone" }, breakable(name));
}

function piecesOf(pieces) {
  const rows = pieces.flatMap((piece) => [
    el("dt", {}, piece.role),
    el(
      "dd",
      {},
      el("b", {}, piece.name),
      `: ${piece.text}.`,
      piece.lacks ? [" ", el("b", {}, `Lacks ${piece.lacks}`), `: ${piece.why}.`] : null,
    ),
  ]);
  return el("div", { class: "pieces" }, el("b", {}, "What its name says"), el("dl", { class: "rows" }, rows));
}

function checkPart(part) {
  const good = part.what === "ticket" ? "taken" : "as it must be";
  const result =
    part.ok || !part.harmless ? verdict(part.ok, good) : el("span", { class: "verdict open" }, "not taken");
  const same = part.expected === part.found;
  return el(
    "section",
    { class: "part" },
    el("h4", {}, part.title, " ", result),
    part.text ? el("p", { class: "small" }, part.text, " ", references(part.rfc)) : null,
    el(
      "dl",
      { class: "rows" },
      same
        ? [el("dt", {}, "expected and found"), el("dd", { class: "mono" }, part.found || "(empty)")]
        : [
            el("dt", {}, "expected"),
            el("dd", { class: "mono" }, part.expected || "(empty)"),
            el("dt", {}, "found"),
            el("dd", { class: "mono" }, part.found || "(empty)"),
          ],
    ),
  );
}

// The secrets of a step, each folded: the graph has them all.
function secretsPart(parts) {
  const keys = parts.map((part) => keyOf(part.key)).filter(Boolean);
  if (!keys.length) return null;
  return el(
    "section",
    { class: "part" },
    el("h4", {}, keys.length === 1 ? "The secret" : "The secrets"),
    el(
      "p",
      { class: "small soft" },
      el("a", { href: hashOf({ section: "keys" }) }, "See the whole schedule"),
    ),
    el(
      "div",
      { class: "key-list" },
      keys.map((key) =>
        el(
          "details",
          { class: "fold", open: unfolded() },
          el(
            "summary",
            {},
            key.name,
            " ",
            el("span", { class: "hex" }, key.value && key.value.hex ? shortHex(key.value.hex) : ""),
          ),
          keyBody(key),
        ),
      ),
    ),
  );
}
