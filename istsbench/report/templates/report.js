"use strict";
(() => {
  const find = (id) => document.getElementById(id);
  document.documentElement.classList.add("script");

  // Tables: one of them shown, columns hidden, rows sorted.
  const choose = () => {
    const wanted = `table-${find("rule").value}-${find("reduction").value}`;
    for (const table of document.querySelectorAll(".table")) {
      table.dataset.shown = table.id === wanted ? "yes" : "no";
    }
    measure();
  };
  // A table that is wider than its window says so.
  const measure = () => {
    for (const table of document.querySelectorAll('.table[data-shown="yes"]')) {
      const box = table.querySelector(".scroll");
      table.classList.toggle("wide", box.scrollWidth > box.clientWidth);
    }
  };
  addEventListener("resize", measure);
  find("rule").addEventListener("change", choose);
  find("reduction").addEventListener("change", choose);
  choose(); // a browser may restore a choice on reload
  for (const what of ["paper", "intervals"]) {
    const box = find(`with-${what}`);
    if (!box) continue;
    const apply = () => {
      document.body.classList.toggle(`without-${what}`, !box.checked);
      measure();
    };
    box.addEventListener("change", apply);
    apply();
  }

  const sort = (head) => {
    const table = head.closest("table");
    const column = [...head.parentNode.children].indexOf(head);
    const text = head.dataset.kind === "text";
    const first = text ? "ascending" : head.dataset.first || "descending";
    const other = first === "ascending" ? "descending" : "ascending";
    const way = head.getAttribute("aria-sort") === first ? other : first;
    for (const one of head.parentNode.children) one.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", way);
    const sign = way === "ascending" ? 1 : -1;
    const value = (row) => row.children[column].dataset.value;
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      if (x === "" || y === "") return (x === "") - (y === ""); // blanks stay last
      return sign * (text ? x.localeCompare(y) : x - y);
    });
    table.tBodies[0].append(...rows);
  };
  for (const button of document.querySelectorAll(".sortable thead button")) {
    button.addEventListener("click", () => sort(button.closest("th")));
  }

  // A link to a method opens it; a print shows all of them.
  const open = () => {
    const target = location.hash && find(decodeURIComponent(location.hash.slice(1)));
    if (target && target.matches("details")) {
      target.open = true;
      target.scrollIntoView();
    }
  };
  addEventListener("hashchange", open);
  open();
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const one of closed) one.open = true;
  });
  addEventListener("afterprint", () => {
    for (const one of closed) one.open = false;
  });

  // Explorer
  const data = JSON.parse(find("data").textContent);
  if (!find("images")) return;
  const chosen = data.methods.map(() => true);
  let order = [];
  let current = 0;

  const element = (name, attributes = {}, ...children) => {
    const made = name.startsWith("svg:")
      ? document.createElementNS("http://www.w3.org/2000/svg", name.slice(4))
      : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };

  const facts = (image) => {
    const cells = data.cells.filter((_, m) => chosen[m]).map((row) => row[image]).filter(Boolean);
    const mean = cells.reduce((sum, cell) => sum + cell.f1, 0) / (cells.length || 1);
    const square = cells.reduce((sum, cell) => sum + (cell.f1 - mean) ** 2, 0);
    return {
      name: data.images[image].name,
      mean,
      spread: Math.sqrt(square / (cells.length || 1)),
      missing: cells.filter((cell) => cell.detected < data.images[image].targets).length,
      alarms: cells.filter((cell) => cell.number > 0).length,
      cells: cells.length,
    };
  };

  const list = () => {
    const key = find("order").value;
    const sign = key === "mean" || key === "name" ? 1 : -1;
    const known = data.images.map((_, image) => facts(image));
    order = known.map((_, image) => image);
    order.sort((a, b) => {
      const [x, y] = [known[a][key], known[b][key]];
      const by = key === "name" ? 0 : sign * (x - y);
      return by || known[a].name.localeCompare(known[b].name, "en", { numeric: true });
    });
    find("images").replaceChildren(...order.map((image) => {
      const one = known[image];
      const words = `spread ${one.spread.toFixed(2)}, mean F1 ${one.mean.toFixed(2)}, `
        + `missed by ${one.missing}, false in ${one.alarms} of ${one.cells}`;
      const button = element("button", { type: "button" }, one.name, element("small", {}, words));
      button.addEventListener("click", () => show(image));
      button.dataset.image = image;
      return element("li", {}, button);
    }));
    find("number").textContent = `${chosen.filter(Boolean).length} of ${chosen.length}`;
  };

  const picture = (image, cell, label) => {
    const { name, width, height, close, targets, truth } = data.images[image];
    const view = find("close-up").checked ? close.join(" ") : `0 0 ${width} ${height}`;
    const svg = element("svg:svg", { viewBox: view, role: "img", "aria-label": `${name}: ${label}` });
    svg.append(element("svg:use", { href: `#i${image}` }));
    const caption = element("figcaption", {}, element("b", {}, label));
    const drawn = cell === "truth" ? truth : cell;
    if (drawn) svg.append(element("svg:path", { class: "mask", d: drawn.path }));
    for (const kind of ["found", "missed", "false"]) {
      for (const [x, y, w, h] of (drawn && drawn[kind]) || []) {
        svg.append(element("svg:rect", { class: kind, x, y, width: w, height: h }));
      }
    }
    if (drawn && drawn !== truth) {
      caption.append(` F1 ${cell.f1.toFixed(2)}, ${cell.detected} of ${targets} found, `
        + `${cell.number} false`);
      if (cell.number > cell.false.length && cell.false.length >= 40) {
        caption.append(` (the largest ${cell.false.length} boxed)`);
      }
    }
    return element("figure", {}, svg, caption);
  };

  const show = (image) => {
    current = image;
    const one = facts(image);
    const { width, height, targets } = data.images[image];
    find("panel-head").textContent = `${one.name}: ${width}x${height} pixels, ${targets} `
      + `${targets === 1 ? "target" : "targets"}, spread of F1 ${one.spread.toFixed(2)}`;
    const shown = data.methods.map((method, m) => [method.label, data.cells[m][image], chosen[m]])
      .filter(([, cell, wanted]) => cell && wanted)
      .sort((a, b) => b[1].f1 - a[1].f1)
      .map(([label, cell]) => picture(image, cell, label));
    find("pictures").replaceChildren(
      picture(image, null, "Image"), picture(image, "truth", "Truth"), ...shown,
    );
    for (const button of find("images").querySelectorAll("button")) {
      const here = Number(button.dataset.image) === image;
      button.setAttribute("aria-current", here);
      if (here) {
        const box = find("images");
        const below = button.offsetTop + button.offsetHeight - box.offsetTop - box.clientHeight;
        const above = button.offsetTop - box.offsetTop;
        box.scrollTop = Math.min(Math.max(box.scrollTop, below), above);
      }
    }
    const place = order.indexOf(image);
    find("previous").disabled = place <= 0;
    find("next").disabled = place >= order.length - 1;
  };

  const step = (by) => {
    const next = order[order.indexOf(current) + by];
    if (next !== undefined) show(next);
  };
  find("previous").addEventListener("click", () => step(-1));
  find("next").addEventListener("click", () => step(1));
  find("order").addEventListener("change", () => { list(); show(order[0]); });
  find("close-up").addEventListener("change", () => show(current));

  const boxes = data.methods.map((method, m) => {
    const box = element("input", { type: "checkbox" });
    box.checked = true;
    box.addEventListener("change", () => { chosen[m] = box.checked; list(); show(current); });
    find("filter").append(element("label", {}, box, ` ${method.label}`));
    return box;
  });
  for (const [id, value] of [["all", true], ["none", false]]) {
    find(id).addEventListener("click", () => {
      boxes.forEach((box, m) => { box.checked = chosen[m] = value; });
      list();
      show(current);
    });
  }
  list();
  if (order.length) show(order[0]);
})();
