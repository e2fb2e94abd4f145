// What the views share: elements and quantities in words.
export function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

export function button(label, name, action, className) {
  const node = element('button', className, label);
  node.type = 'button';
  node.setAttribute('aria-label', name);
  node.addEventListener('click', action);
  return node;
}

export function bytes(value) {
  let amount = Number(value ?? 0), unit = 0;
  while (amount >= 1024 && unit < 4) { amount /= 1024; unit++; }
  return `${amount.toFixed(unit && amount < 100 ? 1 : 0)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][unit]}`;
}

export function count(value) {
  const amount = Number(value ?? 0);
  if (amount >= 1e9) return `${(amount / 1e9).toFixed(2)} B`;
  if (amount >= 1e6) return `${(amount / 1e6).toFixed(2)} M`;
  return amount.toLocaleString('en');
}

// A bar whose filled share is said in words as well.
export function meter(share, label) {
  const bar = element('div', 'meter');
  bar.setAttribute('role', 'img');
  bar.setAttribute('aria-label', label);
  bar.title = label;
  const fill = element('span');
  fill.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  bar.append(fill);
  return bar;
}

export function facts(list) {
  const dl = element('dl');
  for (const [name, value] of list) {
    const pair = element('div');
    pair.append(element('dt', '', name), element('dd', '', value ?? '–'));
    dl.append(pair);
  }
  return dl;
}

// Draws anew, keeping the keyboard focus on the element of the same data-focus.
export function redraw(root, nodes) {
  const focused = root.contains(document.activeElement) ? document.activeElement.closest('[data-focus]')?.dataset.focus : null;
  root.replaceChildren(...nodes);
  if (focused) root.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus();
}
