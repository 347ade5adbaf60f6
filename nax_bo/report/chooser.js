"use strict";
// Links the charts: limits, brushes and picked designs are one state, which every chart is told.
(() => {
  const content = JSON.parse(document.getElementById("content").textContent);
  const designs = content.designs, byNumber = new Map(designs.map(d => [d.number, d]));
  const views = new Map(), state = { brush: null, axes: null, picked: [] };
  const element = (tag, text, attributes = {}) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };

  // What is said of a design; of those without words of their own, the plain values
  const words = d => d.texts ?? (d.texts = Object.fromEntries([["accuracy", d.accuracy.toFixed(1) + " %"],
    ...content.costs.map(c => [c.label, `${Number(d[c.name].toPrecision(3))} ${c.unit}`])]));

  // Limits
  const sliders = [...document.querySelectorAll("#limits input[type=range]")];
  const field = slider => document.getElementById("limit-" + slider.dataset.name);
  const scale = s => ({ low: +s.dataset.low, high: +s.dataset.high, log: "log" in s.dataset });
  const neat = v => Number(v.toPrecision(4));
  const valueAt = s => {
    const { low, high, log } = scale(s), share = s.value / 1000;
    if (share === 0) return low;
    if (share === 1) return high;
    return log ? low * (high / low) ** share : low + (high - low) * share;
  };
  const placeOf = (s, value) => {
    const { low, high, log } = scale(s);
    if (high <= low) return "least" in s.dataset ? 0 : 1000;
    const share = log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
    return 1000 * Math.min(1, Math.max(0, share || 0));
  };
  const limit = s => field(s).value === "" ? null : Number(field(s).value);
  const onlyFull = document.getElementById("only-full");

  function within(d) {
    for (const s of sliders) {
      const bound = limit(s);
      if (bound === null || Number.isNaN(bound)) continue;
      const value = d[s.dataset.name];
      if ("least" in s.dataset ? value < bound - 1e-9 : value > bound * (1 + 1e-9)) return false;
    }
    if (onlyFull && onlyFull.checked && d.kind === "short training only") return false;
    return true;
  }

  // Brushes
  const inline = (chart, name) => content.charts[chart].layer.map(l => l.data).find(d => d && d.name === name).values;
  const inside = (value, [a, b]) => value >= Math.min(a, b) && value <= Math.max(a, b);
  function brushed() {
    let kept = null;
    const keep = numbers => { kept = kept === null ? new Set(numbers) : new Set([...kept].filter(n => numbers.has(n))); };
    if (state.brush && state.brush.cost && state.brush.error) {
      const all = inline("front-0", "designs");
      keep(new Set(all.filter(r => inside(r.cost, state.brush.cost) && inside(r.error, state.brush.error)).map(r => r.number)));
    }
    if (state.axes && state.axes.axis && state.axes.value) {
      const all = inline("parallel-0", "coordinates"), through = new Map();
      for (const r of all) {
        if (!state.axes.axis.includes(r.axis)) continue;
        through.set(r.number, (through.get(r.number) ?? true) && inside(r.value, state.axes.value));
      }
      keep(new Set([...through].filter(([, ok]) => ok).map(([n]) => n)));
    }
    return kept;
  }

  function update() {
    const brush = brushed();
    const shown = designs.filter(d => within(d) && (brush === null || brush.has(d.number)));
    const numbers = shown.map(d => d.number), everything = numbers.length === designs.length;
    for (const view of views.values()) {
      const known = view.getState({ signals: name => ["everything", "shown", "picked"].includes(name), data: () => false }).signals;
      if (!("everything" in known)) continue;
      view.signal("everything", everything).signal("shown", numbers).signal("picked", state.picked).runAsync();
    }
    for (const row of document.querySelectorAll("#front-table tbody tr")) {
      const number = +row.dataset.number;
      row.classList.toggle("out", !numbers.includes(number));
      row.classList.toggle("picked", state.picked.includes(number));
    }
    const found = document.getElementById("found");
    if (!found) return;
    const full = shown.filter(d => d.kind !== "short training only");
    const pool = full.length ? full : shown;
    const cheapest = pool.reduce((a, b) => a === null || b.cost < a.cost ? b : a, null);
    found.textContent = `${shown.length} of ${designs.length} designs remain` + (cheapest === null ? "." :
      `; the ${content.cost.best === "min" ? "cheapest" : "best"}${full.length ? " trained in full" : ""} is design ${cheapest.number}: ${words(cheapest).accuracy}, ` +
      `${known(cheapest)}, ${words(cheapest).area}.`);
  }

  function known(d) {
    const range = words(d)[content.cost.label + " by source"];
    return `${content.cost.label} ${words(d)[content.cost.label]}` + (range ? ` (${range} by source)` : "");
  }

  // Two designs side by side
  function pick(number) {
    const at = state.picked.indexOf(number);
    if (at >= 0) state.picked.splice(at, 1);
    else state.picked = [...state.picked.slice(-1), number];
    compare();
    update();
  }

  function compare() {
    const place = document.getElementById("compare");
    if (!place) return;
    place.replaceChildren();
    const chosen = state.picked.map(n => byNumber.get(n));
    if (!chosen.length) {
      place.append(element("p", "Click a design, in the chart or in the table, then another one: both are compared here.", { class: "caption screen" }));
    } else {
      place.append(element("h3", chosen.length === 2 ? `Design ${chosen[0].number} and design ${chosen[1].number}` : `Design ${chosen[0].number}`));
      if (chosen.length === 2) place.append(element("p", difference(...chosen), { class: "caption" }));
      const table = element("table", undefined, { id: "compare-table" });
      table.append(line("th", ["", ...chosen.map(d => "design " + d.number)]));
      const said = [...new Set(chosen.flatMap(d => Object.keys(words(d))))];
      for (const name of said) table.append(line("td", [name, ...chosen.map(d => words(d)[name] ?? "-")]));
      const settings = [...new Set(chosen.flatMap(d => Object.keys(d.choices)))];
      const differing = settings.filter(s => chosen.length < 2 || chosen[0].choices[s] !== chosen[1].choices[s]);
      for (const s of differing) {
        const row = line("td", [s, ...chosen.map(d => d.choices[s] ?? "none")]);
        if (chosen.length === 2) row.className = "differs";
        table.append(row);
      }
      const scroll = element("div", undefined, { class: "scroll" });
      scroll.append(table);
      place.append(scroll);
      const same = settings.filter(s => !differing.includes(s)).map(s => `${s} ${chosen[0].choices[s]}`).join(", ");
      if (chosen.length === 2) place.append(element("p", `The same in both: ${same || "nothing"}.`, { class: "caption" }));
    }
    showLayers(chosen.length ? chosen.map(d => d.number) : [content.chosen]);
  }

  function line(kind, texts) {
    const row = element("tr");
    for (const text of texts) row.append(element(kind, String(text)));
    return row;
  }

  function difference(a, b) {
    const gap = Math.abs(a.accuracy - b.accuracy), error = 100 * Math.hypot(a.error ?? 0, b.error ?? 0);
    const better = a.accuracy >= b.accuracy ? a : b, ratio = Math.max(a.cost / b.cost, b.cost / a.cost);
    const cheap = a.cost <= b.cost ? a : b, less = content.cost.best === "min" ? "less" : "more";
    const accuracy = gap <= 2 * error ? `Their accuracies tie: ${gap.toFixed(2)} points apart, within twice the standard error (${error.toFixed(2)}).`
      : `Design ${better.number} is more accurate by ${gap.toFixed(2)} points (standard error ${error.toFixed(2)}).`;
    return `${accuracy} Design ${cheap.number} has ${ratio.toPrecision(2)} times ${less} ${content.cost.label}.`;
  }

  function showLayers(numbers) {
    const view = views.get("layers-0");
    if (!view) return;
    const known = numbers.filter(n => content.layers[n]);
    view.data("layers", known.flatMap(n => content.layers[n])).resize().runAsync();
    const of = document.getElementById("layers-of");
    if (of && state.picked.length) of.textContent = known.length ? "Of design " + known.join(" and design ") + "." : "These designs have no breakdown here.";
  }

  // Table
  const table = document.getElementById("front-table");
  if (table) {
    const sort = heading => {
      const column = +heading.dataset.sort, up = heading.getAttribute("aria-sort") !== "ascending";
      const key = row => column < 0 ? +row.dataset.number : +row.children[column + 1].dataset.value;
      const body = table.tBodies[0];
      body.append(...[...body.rows].sort((a, b) => (up ? 1 : -1) * (key(a) - key(b))));
      for (const other of table.querySelectorAll("th")) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", up ? "ascending" : "descending");
    };
    const act = (event, go) => { if (event.type === "click" || event.key === "Enter") go(); };
    for (const heading of table.querySelectorAll("th[data-sort]"))
      for (const kind of ["click", "keydown"]) heading.addEventListener(kind, e => act(e, () => sort(heading)));
    for (const row of table.tBodies[0].rows)
      for (const kind of ["click", "keydown"]) row.addEventListener(kind, e => act(e, () => pick(+row.dataset.number)));
  }
  for (const s of sliders) {
    s.addEventListener("input", () => { field(s).value = neat(valueAt(s)); update(); });
    field(s).addEventListener("input", () => { if (field(s).value !== "") s.value = placeOf(s, limit(s)); update(); });
  }
  if (onlyFull) onlyFull.addEventListener("change", update);
  const reset = document.getElementById("reset");
  if (reset) reset.addEventListener("click", () => {
    for (const s of sliders) { s.value = "least" in s.dataset ? 0 : 1000; field(s).value = ""; }
    onlyFull.checked = false;
    Object.assign(state, { brush: null, axes: null, picked: [] });
    draw();
  });

  // Charts
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  async function draw() {
    for (const view of views.values()) view.finalize();
    views.clear();
    for (const [id, chart] of Object.entries(content.charts)) {
      const options = { actions: false, ast: true, logLevel: 1, renderer: content.renderer, config: content.themes[dark.matches ? "dark" : "light"] };
      const { view } = await vegaEmbed("#" + id, structuredClone(chart), options);
      views.set(id, view);
      const follow = (signal, name) => view.addSignalListener(signal, (_, value) => {
        state[name] = Object.keys(value).length ? value : null;
        update();
      });
      if (id === "front-0") {
        follow("brush", "brush");
        view.addEventListener("click", (_, item) => { if (item && item.datum && item.datum.number !== undefined) pick(item.datum.number); });
      }
      if (id === "parallel-0") {
        follow("axes_brush", "axes");
        view.addEventListener("click", (_, item) => { if (item && item.datum && item.datum.number !== undefined) pick(item.datum.number); });
      }
    }
    compare();
    update();
    document.documentElement.dataset.ready = "true";
  }
  dark.addEventListener("change", draw);
  draw();

  // A study under way: read the page again, but not from under the hands of its reader
  const idle = () => !state.brush && !state.axes && !state.picked.length && sliders.every(s => field(s).value === "") && !(onlyFull && onlyFull.checked);
  if (content.refresh_s) setInterval(() => { if (idle()) location.reload(); }, 1000 * content.refresh_s);
})();
