// Hides the cards that the filters leave out, and keeps the filters in the page's address.
(() => {
  "use strict";
  const form = document.querySelector("form.filters");
  const cards = [...document.querySelectorAll("#cards > .card")];
  const count = form.querySelector("output");
  const none = document.querySelector("#annotations .none");
  const openAll = form.elements.namedItem("open");
  const fields = ["pool", "judge", "outcome", "beside", "q"]
    .map((name) => form.elements.namedItem(name))
    .filter((field) => field !== null);
  const place = "#annotations?";

  const fold = (text) => text.normalize("NFKC").toLowerCase();
  const known = cards.map((card) => {
    const facts = new Map(); // judge → facts
    for (const fact of card.dataset.facts.split("\n")) {
      const end = fact.lastIndexOf(":");
      const judge = fact.slice(0, end);
      facts.set(judge, (facts.get(judge) || new Set()).add(fact.slice(end + 1)));
    }
    const text = fold(card.querySelector("h3").textContent + " " + card.dataset.id);
    return { card, facts, text, pool: card.dataset.pool };
  });

  const value = (name) => {
    const field = form.elements.namedItem(name);
    return field === null ? "" : field.value;
  };

  function show() {
    const [pool, judge, outcome, beside] = ["pool", "judge", "outcome", "beside"].map(value);
    const words = fold(value("q")).split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const { card, facts, text, pool: own } of known) {
      const judged = judge === "" ? [...facts.values()] : [facts.get(judge) || new Set()];
      const fits = (pool === "" || pool === own)
        && (judge === "" || facts.has(judge))
        && ((outcome === "" && beside === "") || judged.some((found) =>
          (outcome === "" || found.has(outcome)) && (beside === "" || found.has(beside))))
        && words.every((word) => text.includes(word));
      card.hidden = !fits;
      shown += fits;
    }
    count.value = `${shown} of ${cards.length} questions`;
    none.hidden = shown > 0;
    label();
  }

  function label() {
    const visible = cards.filter((card) => !card.hidden);
    openAll.textContent = visible.length && visible.every((card) => card.open) ? "Close all" : "Open all";
  }

  function remember() {
    const chosen = fields.filter((field) => field.value !== "").map((field) => [field.name, field.value]);
    const address = chosen.length ? place + new URLSearchParams(chosen) : "#annotations";
    try {
      history.replaceState(null, "", address);
    } catch {
      // A page that is embedded in another has no address of its own.
    }
  }

  function recall() {
    if (!location.hash.startsWith(place)) return;
    const chosen = new URLSearchParams(location.hash.slice(place.length));
    for (const field of fields) field.value = chosen.get(field.name) || "";
    for (const field of fields) if (field.selectedIndex === -1) field.value = "";
    show();
    form.scrollIntoView();
  }

  form.addEventListener("input", () => { show(); remember(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => { show(); remember(); }));
  openAll.addEventListener("click", () => {
    const open = openAll.textContent === "Open all";
    for (const card of cards) if (!card.hidden) card.open = open;
    label();
  });
  document.getElementById("cards").addEventListener("toggle", label, true);
  addEventListener("hashchange", recall);

  form.hidden = false;
  show();
  recall();
})();
