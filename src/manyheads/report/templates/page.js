"use strict";
// Without this script the page shows all the same; with it tables sort, long ones filter, and paper shows what is folded.

const value = (row, column) => {
  const given = row.cells[column].dataset.sort;
  return given === undefined || given === "" ? null : given;
};

// Numbers inside a text count as numbers, decimals too: 0.35 stands before 0.5, and 9 before 10.
const pieces = (text) => text.split(/(\d+(?:\.\d+)?)/);

const compare = (a, b) => {
  const [x, y] = [Number(a), Number(b)];
  if (!Number.isNaN(x) && !Number.isNaN(y)) return x - y;
  const [p, q] = [pieces(a), pieces(b)];
  for (let i = 0; i < Math.min(p.length, q.length); i += 1) {
    const order = i % 2 ? p[i] - q[i] : p[i].localeCompare(q[i], "en");
    if (order) return order;
  }
  return p.length - q.length;
};

// Rows without a value stay at the end in either direction; equal rows keep the order of the study.
const sort = (table, column, direction) => {
  const body = table.tBodies[0];
  const rows = [...body.rows].sort((a, b) => {
    const [x, y] = [value(a, column), value(b, column)];
    if (x === null || y === null) return (x === null) - (y === null) || a.dataset.place - b.dataset.place;
    return direction * compare(x, y) || a.dataset.place - b.dataset.place;
  });
  body.append(...rows);
};

const makeSortable = (table) => {
  [...table.tBodies[0].rows].forEach((row, place) => { row.dataset.place = place; });
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const numbers = [...table.tBodies[0].rows].every((row) => !Number.isNaN(Number(value(row, column))));
      const first = numbers ? "descending" : "ascending";
      const other = first === "ascending" ? "descending" : "ascending";
      const order = head.getAttribute("aria-sort") === first ? other : first;
      heads.forEach((cell) => cell.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
      sort(table, column, order === "ascending" ? 1 : -1);
    });
  });
};

const makeFilter = (table) => {
  const box = document.createElement("div");
  const label = document.createElement("label");
  const input = document.createElement("input");
  const count = document.createElement("span");
  box.className = "filter";
  count.className = "note";
  count.setAttribute("role", "status");
  input.type = "search";
  input.id = `${table.id}-filter`;
  label.htmlFor = input.id;
  label.textContent = "Show rows with";
  const rows = [...table.tBodies[0].rows];
  const show = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    rows.forEach((row) => { row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word)); });
    count.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows`;
  };
  input.addEventListener("input", show);
  box.append(label, input, count);
  table.parentElement.before(box);
  show();
};

document.querySelectorAll("table.sortable").forEach(makeSortable);
document.querySelectorAll("table[data-filter]").forEach(makeFilter);

// A link to something folded opens it; so does printing, and what was folded folds again.
const unfold = () => {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  const around = target && target.closest("details");
  if (around && !around.open) {
    around.open = true;
    target.scrollIntoView();
  }
};
window.addEventListener("hashchange", unfold);
unfold();

let folded = [];
window.addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  folded.forEach((part) => { part.open = true; });
});
window.addEventListener("afterprint", () => {
  folded.forEach((part) => { part.open = false; });
  folded = [];
});
