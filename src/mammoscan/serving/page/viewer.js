// One image enlarged: its original pixels with zoom, pan and window, beside what the network saw.

const find = (id) => document.getElementById(id);
const MAX_ZOOM = 40;
let image = null;
let frame = 0;

export async function openViewer(entry) {
  const { file, result } = entry;
  image = null;
  find("viewer-title").textContent = file.name;
  find("viewer-seen").hidden = !result?.seen;
  if (result?.seen) {
    find("viewer-under").src = result.seen;
    find("viewer-over").src = result.heat_map;
    find("viewer-seen-words").textContent = describeHeat(result);
  }
  find("original-words").textContent = "Loading the original pixels…";
  draw();
  find("viewer").showModal();
  try {
    const form = new FormData();
    form.append("images", file);
    const reply = await fetch("original", { method: "POST", body: form });
    const body = await reply.json();
    if (!reply.ok) throw new Error(body.detail);
    image = await unpack(body);
    resetView();
    const kept = body.step > 1 ? `, every ${body.step}th pixel shown` : "";
    find("original-words").textContent =
      `The original, ${body.width} × ${body.height} pixels of ${body.depth} bits, values ${body.lowest} to ${body.highest}${kept}`;
  } catch (error) {
    find("original-words").textContent = `The original pixels cannot be shown: ${error.message}`;
  }
}

export function describeHeat(result) {
  if (result.size) return `Coloured by the probability of “${result.positive ?? result.label}” at each place`;
  return `What the network saw; coloured is what speaks for “${result.label}”`;
}

async function unpack(body) {
  const picture = new Image();
  picture.src = body.pixels;
  await picture.decode();
  const { naturalWidth: width, naturalHeight: height } = picture;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  const shown = context.getImageData(0, 0, width, height);
  const source = shown.data.slice();
  return { canvas, context, shown, source, width, height, body };
}

// Values below the window are black, those above it white.
function applyWindow() {
  if (!image) return;
  const { source, shown, body, context } = image;
  const level = Number(find("level").value);
  const width = Math.max(1, Number(find("width").value));
  const top = body.depth === 16 ? 65535 : 255;
  const table = new Uint8ClampedArray(top + 1);
  for (let value = 0; value <= top; value += 1) table[value] = (255 * (value - level + width / 2)) / width;
  const target = shown.data;
  if (body.depth === 16) {
    for (let at = 0; at < source.length; at += 4) {
      const grey = table[source[at] * 256 + source[at + 1]];
      target[at] = target[at + 1] = target[at + 2] = grey;
    }
  } else {
    for (let at = 0; at < source.length; at += 4) {
      target[at] = table[source[at]];
      target[at + 1] = table[source[at + 1]];
      target[at + 2] = table[source[at + 2]];
    }
  }
  context.putImageData(shown, 0, 0);
  draw();
}

function resetView() {
  const { lowest, highest, depth } = image.body;
  const whole = depth === 8;
  const low = whole ? 0 : lowest;
  const high = whole ? 255 : Math.max(highest, lowest + 1);
  for (const [id, min, max, value] of [
    ["level", low, high, (low + high) / 2],
    ["width", 1, high - low, high - low],
  ]) {
    Object.assign(find(id), { min, max, step: 1, value });
  }
  Object.assign(image, { zoom: 1, x: 0, y: 0 });
  applyWindow();
}

function draw() {
  cancelAnimationFrame(frame);
  frame = requestAnimationFrame(() => {
    const canvas = find("original");
    const box = canvas.getBoundingClientRect();
    const dense = window.devicePixelRatio || 1;
    canvas.width = Math.max(1, Math.round(box.width * dense));
    canvas.height = Math.max(1, Math.round(box.height * dense));
    const context = canvas.getContext("2d");
    context.fillRect(0, 0, canvas.width, canvas.height);
    if (!image) return;
    const scale = fit(canvas) * image.zoom;
    context.imageSmoothingEnabled = scale < 2;
    context.setTransform(scale, 0, 0, scale, canvas.width / 2 + image.x * scale, canvas.height / 2 + image.y * scale);
    context.drawImage(image.canvas, -image.width / 2, -image.height / 2);
    canvas.dataset.zoom = image.zoom.toFixed(2);
    canvas.dataset.at = `${Math.round(image.x)},${Math.round(image.y)}`;
  });
}

const fit = (canvas) => Math.min(canvas.width / image.width, canvas.height / image.height);

function zoom(factor) {
  if (!image) return;
  image.zoom = Math.min(MAX_ZOOM, Math.max(1, image.zoom * factor));
  move(0, 0);
}

// By pixels of the screen; some of the image always stays in sight.
function move(right, down) {
  if (!image) return;
  const canvas = find("original");
  const scale = (fit(canvas) * image.zoom) / (window.devicePixelRatio || 1);
  const limit = (at, side) => Math.min(side / 2, Math.max(-side / 2, at));
  image.x = limit(image.x + right / scale, image.width);
  image.y = limit(image.y + down / scale, image.height);
  if (image.zoom === 1) image.x = image.y = 0;
  draw();
}

export function startViewer() {
  const canvas = find("original");
  find("viewer-close").addEventListener("click", () => find("viewer").close());
  find("zoom-in").addEventListener("click", () => zoom(1.5));
  find("zoom-out").addEventListener("click", () => zoom(1 / 1.5));
  find("reset").addEventListener("click", () => image && resetView());
  for (const id of ["level", "width"]) find(id).addEventListener("input", applyWindow);
  find("viewer-heat").addEventListener("click", (event) => {
    const shown = event.currentTarget.getAttribute("aria-pressed") !== "true";
    event.currentTarget.setAttribute("aria-pressed", String(shown));
    find("viewer-over").hidden = !shown;
  });
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2);
    },
    { passive: false },
  );
  const keys = {
    "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5),
    ArrowLeft: () => move(40, 0), ArrowRight: () => move(-40, 0), ArrowUp: () => move(0, 40), ArrowDown: () => move(0, -40),
  };
  canvas.addEventListener("keydown", (event) => {
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
  canvas.addEventListener("pointermove", (event) => {
    if (event.buttons && canvas.hasPointerCapture(event.pointerId)) move(event.movementX, event.movementY);
  });
  window.addEventListener("resize", draw);
}
