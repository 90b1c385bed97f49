"use strict";
// The page is whole without this: it adds sorting, a slider over epochs, and the place in the contents.

// A column's head sorts its table. Rows of class "floor" are no competitors and stay at the end.
for (const table of document.querySelectorAll("table.sortable")) {
  if (table.tBodies.length !== 1 || table.tBodies[0].rows.length < 3) continue;
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const rows = [...body.rows].filter((row) => !row.classList.contains("floor"));
      const rest = [...body.rows].filter((row) => row.classList.contains("floor"));
      const texts = new Map(rows.map((row) => [row, row.cells[column].textContent.trim()]));
      const numbers = new Map([...texts].map(([row, text]) => [row, number(text)]));
      const told = rows.filter((row) => texts.get(row) !== "–" && texts.get(row) !== "");
      const numeric = told.every((row) => !Number.isNaN(numbers.get(row)));
      const compare = numeric
        ? (a, b) => numbers.get(a) - numbers.get(b)
        : (a, b) => texts.get(a).localeCompare(texts.get(b), "en", { numeric: true });
      told.sort((a, b) => (up ? compare(a, b) : compare(b, a)));
      body.append(...told, ...rows.filter((row) => !told.includes(row)), ...rest);
    });
  });
}

function number(text) {
  const found = text.replaceAll("−", "-").replaceAll(",", "").match(/^[△<\s]*(-?\d+(?:\.\d+)?(?:e-?\d+)?)/);
  return found ? Number(found[1]) : NaN;
}

// All sliders show one epoch. A strip shows its row of that epoch, or of its last one before, and says which.
const sliders = [...document.querySelectorAll(".slider")];
for (const slider of sliders) {
  slider.hidden = false;
  slider.querySelector("input").addEventListener("input", (event) => show(Number(event.target.value)));
}

function show(value) {
  for (const slider of sliders) {
    const input = slider.querySelector("input");
    input.value = value;
    slider.querySelector("output").textContent = input.dataset.epochs.split(",")[value];
  }
  const epoch = Number(sliders[0].querySelector("input").dataset.epochs.split(",")[value]);
  for (const zoom of document.querySelectorAll(".zoom[data-epochs]")) {
    const epochs = zoom.dataset.epochs.split(",").map(Number);
    const row = Math.max(0, epochs.findLastIndex((each) => each <= epoch));
    const summary = zoom.querySelector("summary");
    const image = summary.querySelector(".px");
    image.style.setProperty("--row", row);
    image.setAttribute("aria-label", image.getAttribute("aria-label").replace(/after epoch \d+$/, `after epoch ${epochs[row]}`));
    summary.querySelector(".when").textContent = `after epoch ${epochs[row]}`;
  }
}

// What a link points to may lie in a closed part.
function reveal() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let parent = target; parent; parent = parent.parentElement) if (parent.tagName === "DETAILS") parent.open = true;
  target.scrollIntoView();
}
addEventListener("hashchange", reveal);
reveal();
addEventListener("beforeprint", () => document.querySelectorAll("details.part").forEach((part) => (part.open = true)));

// The contents list says where the reader is.
const links = new Map([...document.querySelectorAll("nav.side a")].map((link) => [link.hash.slice(1), link]));
const heads = [...links.keys()].map((id) => document.getElementById(id)).filter(Boolean);
function mark() {
  const passed = heads.filter((head) => head.getBoundingClientRect().top < innerHeight / 3);
  const here = (passed.at(-1) ?? heads[0])?.id;
  for (const [id, link] of links) link.classList.toggle("here", id === here);
}
addEventListener("scroll", mark, { passive: true });
mark();
