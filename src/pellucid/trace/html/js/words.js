// Small things that are said in many places: sizes, times, references, links.

function plural(count, word) {
  return `${count.toLocaleString("en-US")} ${word}${count === 1 ? "" : "s"}`;
}

// Microseconds as a person reads them, without pretending to more digits than count.
function duration(us) {
  if (us < 1000) return `${us} µs`;
  if (us < 1e6) return `${(us / 1000).toFixed(us < 1e4 ? 2 : 1)} ms`;
  return `${(us / 1e6).toFixed(2)} s`;
}

// "certificate_expired", "not_tls": a reason by its words.
function worded(identifier) {
  return identifier.replaceAll("_", " ").replace(/\b(?:tls|alpn|psk)\b/g, (word) => word.toUpperCase());
}

// A long name may break after each of its underscores.
function breakable(name) {
  return name.split("_").flatMap((piece, index) => (index ? ["_", el("wbr"), piece] : [piece]));
}

function hexOf(digits) {
  return digits.replace(/../g, "$& ").trimEnd();
}

function shortHex(digits, bytes = 8) {
  return digits.length > 2 * bytes ? `${digits.slice(0, 2 * bytes)}…` : digits;
}

// "RFC 9846 4.2.2, RFC 5280 6" as links; sections of an appendix begin with a letter.
function references(text) {
  if (!text) return null;
  const links = text.split(", ").map((one) => {
    const rfc = /^RFC (\d+)(?: ([A-Z0-9.]+))?$/.exec(one);
    if (!rfc && !one.startsWith("draft-")) return el("span", {}, one);
    const anchor = rfc && rfc[2] ? `#${/^[A-Z]/.test(rfc[2]) ? "appendix" : "section"}-${rfc[2]}` : "";
    const address = rfc
      ? `https://www.rfc-editor.org/rfc/rfc${rfc[1]}${anchor}`
      : `https://datatracker.ietf.org/doc/${one}/`;
    return el("a", { href: address, rel: "noreferrer" }, one);
  });
  return el(
    "span",
    { class: "rfc" },
    links.flatMap((link, index) => (index ? [", ", link] : [link])),
  );
}

function linkTo(target, text, index = state.index) {
  return el("a", { href: hashOf(target, index) }, text);
}

function stepLinks(numbers) {
  const links = numbers.map((number) => {
    const step = stepOf(number);
    return el(
      "a",
      { href: hashOf({ step: number }), title: step ? `${actorOf(step)}: ${step.title}` : null },
      String(number),
    );
  });
  return links.flatMap((link, index) => (index ? [", ", link] : [link]));
}

// Who does it: a side, or who reads the capture and checks in its place.
function actorOf(step) {
  return step.onlooker ? "onlooker" : step.side;
}

// The verdict in a sign, a word and a colour.
function verdict(ok, good = "as it must be", bad = "wrong") {
  return el(
    "span",
    { class: `verdict ${ok ? "good" : "bad"}` },
    icon(ok ? "verify" : "failed"),
    ok ? good : bad,
  );
}

function dated(iso) {
  return iso.replace("T", " ").replace(/Z$/, " UTC");
}

// A value of the trace: hex, words, or what is told of a secret that is not shown.
function valueOf(value) {
  if (value.hex !== undefined) return el("span", { class: "hex" }, value.hex || "(empty)");
  if (value.hidden !== undefined) {
    return el(
      "span",
      { class: "soft" },
      `${plural(value.size, "byte")}, not shown (fingerprint ${value.hidden})`,
    );
  }
  return el("span", {}, value.text ? value.text : '""');
}
