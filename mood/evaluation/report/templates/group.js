"use strict";
(() => {
  const { participants } = JSON.parse(document.getElementById("data").textContent);
  const element = (id) => document.getElementById(id);
  const wall = element("wall"), cards = [...wall.children];
  const told = (card) => participants[card.dataset.name] || {};
  const palette = ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#ff8800", "#888888"];

  function search() {
    const words = element("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const card of cards) {
      const text = [card.dataset.name, card.dataset.flag, ...Object.values(told(card))].join(" ").toLowerCase();
      card.hidden = !words.every((word) => text.includes(word));
    }
    const count = cards.filter((card) => !card.hidden).length;
    element("shown").textContent = `${count} of ${cards.length} shown`;
  }

  function sort() {
    const key = element("sort").value;
    const byName = (a, b) => a.dataset.name.localeCompare(b.dataset.name, "en", { numeric: true });
    const byNumber = (a, b) => b.dataset[key] - a.dataset[key] || (key === "rank" ? b.dataset.volume - a.dataset.volume : 0) || byName(a, b);
    wall.append(...cards.sort(key === "name" ? byName : byNumber));
  }

  function colourOf(values) { // few values: a colour each; many numbers: from light to dark
    const distinct = [...new Set(values.filter((value) => value !== undefined))].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
    const numbers = distinct.map(Number);
    if (distinct.length > palette.length && numbers.every(Number.isFinite)) {
      const low = Math.min(...numbers), high = Math.max(...numbers);
      const shade = (value) => `hsl(215 75% ${85 - 60 * (Number(value) - low) / (high - low || 1)}%)`;
      return [shade, [[String(low), shade(low)], [String(high), shade(high)]]];
    }
    const pick = (value) => palette[Math.min(distinct.indexOf(value), palette.length - 1)];
    const legend = distinct.slice(0, palette.length).map((value, i) => [i === palette.length - 1 && distinct.length > palette.length ? "others" : value, pick(value)]);
    return [pick, legend];
  }

  function colour() {
    const column = element("colour").value;
    const value = (card) => column === ":flag" ? card.dataset.flag : told(card)[column];
    const [pick, legend] = column ? colourOf(cards.map(value)) : [null, []];
    for (const card of cards) {
      const known = column && value(card) !== undefined;
      card.style.setProperty("--group", known ? pick(value(card)) : "var(--line)");
    }
    element("groups").replaceChildren(...legend.map(([name, shade]) => {
      const item = document.createElement("span"), swatch = document.createElement("i");
      swatch.style.background = shade;
      item.append(swatch, name);
      return item;
    }));
  }

  const mark = (name, on) => document.querySelectorAll(".dot").forEach((dot) => {
    if (dot.dataset.name === name) dot.classList.toggle("hover", on);
  });
  for (const card of cards) {
    for (const [event, on] of [["mouseenter", true], ["mouseleave", false], ["focusin", true], ["focusout", false]]) {
      card.addEventListener(event, () => mark(card.dataset.name, on));
    }
  }
  element("search").addEventListener("input", search);
  element("sort").addEventListener("change", sort);
  element("colour").addEventListener("change", colour);
  sort();
  search();
})();
