// Elements. What comes from the network gets into the page by this module alone, and as text: nothing here reads HTML.

const OWN = new Set(["class", "title", "type", "id", "for", "role", "colspan", "placeholder", "autocomplete", "min", "max",
  "inputmode", "hidden", "disabled", "checked", "scope", "spellcheck", "tabindex", "href"]);

// <tag> with attributes, listeners (on: {click}), data-label (label), a value, and children: elements or texts.
export function el(tag, given = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") for (const [kind, act] of Object.entries(value)) made.addEventListener(kind, act);
    else if (name === "label") made.dataset.label = value;
    else if (name === "value") made.value = value;
    else if (name === "href" && !String(value).startsWith("#")) throw new Error("a link leads nowhere but into this page");
    else if (OWN.has(name) || name.startsWith("aria-")) made.setAttribute(name, value === true ? "" : String(value));
    else throw new Error(`no attribute: ${name}`);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export function button(text, act, kind = "", title = undefined) {
  return el("button", {type: "button", class: kind, title, on: {click: act}}, text);
}

export function setText(element, text) {
  const said = String(text ?? "");
  if (element.textContent !== said) element.textContent = said;
}

export function setClass(element, name) {
  if (element.className !== name) element.className = name;
}

// A table whose rows stay where they are while what is in them changes: a button does not vanish below a finger.
// Each column has a title, and either text (of an item), or make (an element, by a function that gives the item of its
// row as it is now) and, if that has something to show, show (the element, the item). kind is "number" for figures.
export class Table {
  constructor(columns, empty, key = (item) => item.name) {
    this.columns = columns;
    this.key = key;
    this.rows = new Map();
    this.body = el("tbody");
    const head = el("tr", {}, ...columns.map((one) => el("th", {scope: "col", class: one.kind}, one.title)));
    this.table = el("table", {}, el("thead", {}, head), this.body);
    this.empty = el("p", {class: "empty"}, empty);
    this.element = el("div", {class: "table"}, this.table, this.empty);
    this.update([]);
  }

  update(items) {
    const gone = new Set(this.rows.keys());
    let before = null;
    for (const item of items) {
      const key = this.key(item);
      gone.delete(key);
      const row = this.rows.get(key) ?? this.#made(key);
      row.item = item;
      this.columns.forEach((column, number) => this.#show(column, row.cells[number], item));
      const there = before === null ? this.body.firstChild : before.nextSibling;
      if (there !== row.element) this.body.insertBefore(row.element, there);
      before = row.element;
    }
    for (const key of gone) {
      this.rows.get(key).element.remove();
      this.rows.delete(key);
    }
    this.table.hidden = items.length === 0;
    this.empty.hidden = items.length !== 0;
  }

  #made(key) {
    const row = {item: null, cells: []};
    row.cells = this.columns.map((column) => {
      const cell = el("td", {class: column.kind, label: column.title});
      if (column.make) cell.append(column.make(() => row.item));
      return cell;
    });
    row.element = el("tr", {}, ...row.cells);
    this.rows.set(key, row);
    return row;
  }

  #show(column, cell, item) {
    if (!column.make) setText(cell, column.text(item));
    else if (column.show) column.show(cell.firstChild, item);
  }
}
