"use strict";
(() => {
  const keep = (value) => { try { localStorage.setItem("mood-theme", value); } catch { /* a page may have no storage */ } };
  const kept = () => { try { return localStorage.getItem("mood-theme"); } catch { return null; } };
  const root = document.documentElement;
  const dark = () => root.dataset.theme === "dark";
  root.dataset.theme = kept() || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const show = () => { button.setAttribute("aria-pressed", dark()); };
    show();
    button.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; keep(root.dataset.theme); show(); });
    for (const each of document.querySelectorAll("[data-copy]")) {
      each.addEventListener("click", () => copyText(document.getElementById(each.dataset.copy).textContent, each));
    }
  });
})();
async function copyText(text, button) {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch { // not allowed from a file in some browsers
    const area = Object.assign(document.createElement("textarea"), { value: text });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = before; }, 1500);
}
