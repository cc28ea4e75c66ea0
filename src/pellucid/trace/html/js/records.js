// Records: what was on the wire, and what is inside.

function recordName(record) {
  return `${record.encrypted ? "encrypted " : ""}record ${record.number}`;
}

// Which steps' messages a record carried, whole or in part.
function stepsIn(number) {
  return connection().steps.filter((step) =>
    step.parts.some((part) => (part.records || []).includes(number)),
  );
}

const MOST_LINKS = 6;

function recordLine(part) {
  const numbers = part.records || [];
  if (!numbers.length) return null;
  const links = numbers
    .slice(0, MOST_LINKS)
    .map((number) => linkTo({ record: number }, recordName(recordOf(number))));
  if (numbers.length > MOST_LINKS) links.push(`and ${plural(numbers.length - MOST_LINKS, "more record")}`);
  const joined = links.flatMap((link, index) => (index ? [", ", link] : [link]));
  const first = recordOf(numbers[0]);
  const others = numbers.length === 1 ? stepsIn(numbers[0]).length - 1 : 0;
  const shared = others > 0 ? `, together with ${plural(others, "other message")}` : "";
  const wire = numbers.reduce((sum, number) => sum + recordOf(number).size, 0);
  const bytes = numbers.length > 1 || others === 0 ? `, ${plural(wire, "byte")} on the wire` : "";
  const looks =
    first.encrypted && first.outside !== first.inside ? `; from outside it looks like ${first.outside}` : "";
  return el("p", { class: "small soft" }, "On the wire: ", joined, shared, bytes, looks, ".");
}

// Why nobody has seen what is in it.
function closedBy(record) {
  const steps = connection().steps.filter((step) => step.sealed && step.side === record.side);
  const step = record.closed && steps.filter((one) => one.number <= record.after).pop();
  if (!step) return null;
  return el(
    "p",
    {},
    icon("lock"),
    " It ",
    linkTo({ step: step.number }, `${step.title} (step ${step.number})`),
    ".",
  );
}

function openerTitle(record) {
  const tail = record.tail ? `; behind the content stands its ${record.tail}` : "";
  return `Python with cryptography: prints the content in hex${tail}`;
}

function recordDetails(record) {
  const inside = stepsIn(record.number);
  const sealed = record.encrypted;
  const parts = [
    el(
      "p",
      { class: "purpose" },
      sealed
        ? `This is all that the network sees: ${plural(record.size, "byte")}, marked as ${record.outside}. `
        : `A record in the clear, of ${plural(record.size, "byte")}: everybody on the way can read it.`,
    ),
  ];
  if (sealed) {
    const padding = record.padding ? ` and ${plural(record.padding, "zero byte")} as padding` : "";
    const under = record.protection
      ? `Under the ${record.protection} it is number ${record.sequence}, counted from 0.`
      : "";
    const type = record.outside !== record.inside ? `, its true type (${record.inside})` : "";
    parts.push(
      el(
        "p",
        {},
        record.content
          ? `Inside: ${plural(record.content, "byte")} of content${type}${padding}. `
          : "Its content was not seen. ",
        under,
      ),
      closedBy(record),
    );
  }
  if (inside.length) {
    parts.push(
      el(
        "p",
        {},
        "It carries ",
        inside.flatMap((step, index) => [
          index ? ", " : "",
          el("a", { href: hashOf({ step: step.number }) }, `${step.title} (step ${step.number})`),
        ]),
        ".",
      ),
    );
  }
  if (record.raw.length < 2 * record.size) {
    parts.push(el("p", { class: "small soft" }, "Of so much data only the headers are kept from here on."));
  }
  const dump = dumpOf({ ...record, name: recordName(record) }, (range) => {
    go({ record: record.number, range }, { quiet: true });
  });
  const part = el("section", { class: "part" }, dump.element);
  if (record.open)
    part.append(
      folded("Open this record yourself", commandBox({ with: openerTitle(record), text: record.open })),
    );
  const element = el(
    "article",
    { class: `details ${record.side}` },
    el(
      "header",
      {},
      el(
        "h3",
        {},
        recordName(record).replace(/^./, (letter) => letter.toUpperCase()),
      ),
      el(
        "p",
        { class: "meta" },
        `${record.side} to ${other(record.side)} · ${plural(record.size, "byte")}`,
        sealed ? ` · ${record.protection || "closed"}` : " · in the clear",
      ),
    ),
    parts,
    part,
  );
  return { element, dumps: [dump] };
}
