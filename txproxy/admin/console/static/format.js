// Figures for people.

const UNITS = ["", "k", "M", "G", "T"];

export function count(value) {
  return value === null || value === undefined ? "–" : Math.round(value).toLocaleString("en-US");
}

// So many a second.
export function rate(value) {
  if (value === null || value === undefined) return "–";
  if (value >= 1000) return count(value);
  return value >= 100 ? value.toFixed(0) : value.toFixed(1);
}

export function bytes(value) {
  if (value === null || value === undefined) return "–";
  let size = value, unit = 0;
  while (size >= 1024 && unit < UNITS.length - 1) [size, unit] = [size / 1024, unit + 1];
  const figure = unit && size < 10 ? size.toFixed(1) : size.toFixed(0);
  return `${figure} ${UNITS[unit]}B`;
}

// A time that something took.
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 0.001) return seconds === 0 ? "0 ms" : `${(seconds * 1000).toFixed(2)} ms`;
  if (seconds < 0.0995) return `${(seconds * 1000).toFixed(1)} ms`;
  if (seconds < 1) return `${(seconds * 1000).toFixed(0)} ms`;
  return age(seconds);
}

// A time since when something is so.
export function age(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${seconds.toFixed(0)} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

export function percent(share) {
  if (share === null || share === undefined) return "–";
  const figure = share * 100;
  return `${figure > 0 && figure < 10 ? figure.toFixed(1) : figure.toFixed(0)} %`;
}

export function clock(milliseconds) {
  return new Date(milliseconds).toLocaleTimeString("en-GB");
}

export function many(number, one, more) {
  return `${count(number)} ${number === 1 ? one : more}`;
}
