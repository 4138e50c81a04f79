/**
 * Draws with the graphics card: each localization is a point that is added to a texture of floats; a second pass makes
 * colours of it. Work is handed over in slices, and the next one only when the last is done, so that a slow card never
 * holds up the page.
 */
import { type Look, LEVELS, brightnessScale, colourTable } from "./contrast";
import type { Painter, Painting } from "./painter";
import { type Field, type Grid, RADIUS_SIGMAS, maxSigmaPx } from "./rule";
import { COLOUR_FRAGMENT, COLOUR_VERTEX, SPLAT_FRAGMENT, SPLAT_VERTEX } from "./shaders";
import { BLOCK_ROWS, type Block, type Filter, type Range } from "./table";

const FINEST_PER_CAMERA_PIXEL = 64;
const FIRST_SLICE_ROWS = 16384;
const SMALLEST_SLICE_ROWS = 2048;
const LARGEST_SLICE_ROWS = 4_000_000;
const SLOW_TURNS = 3;
const COLUMNS = ["x_nm", "y_nm", "photons", "precision_nm", "frame"] as const;
const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i;

/** Of the values that are added up: whole floats where the card can blend them, else halves. */
type Depth = "R32F" | "R16F";

/**
 * Null where this browser has no WebGL2 that can add up floats, or (unless it is insisted on) only an emulated one.
 * `onLost` hears of it when the graphics card is taken away.
 */
export function webglPainter(insist: boolean, onLost: () => void): WebglPainter | null {
  const canvas = document.createElement("canvas");
  const gl = canvas.getContext("webgl2", { alpha: false, antialias: false, depth: false, preserveDrawingBuffer: true });
  if (gl === null) return null;
  canvas.addEventListener("webglcontextlost", onLost, { once: true });
  if (!insist && SOFTWARE.test(rendererOf(gl))) return null;
  const hasFloat = gl.getExtension("EXT_color_buffer_float") !== null;
  if (hasFloat && gl.getExtension("EXT_float_blend") !== null) return new WebglPainter(gl, canvas, "R32F");
  if (hasFloat || gl.getExtension("EXT_color_buffer_half_float") !== null) return new WebglPainter(gl, canvas, "R16F");
  return null;
}

function rendererOf(gl: WebGL2RenderingContext): string {
  const debug = gl.getExtension("WEBGL_debug_renderer_info");
  return String(gl.getParameter(debug === null ? gl.RENDERER : debug.UNMASKED_RENDERER_WEBGL));
}

export class WebglPainter implements Painter {
  readonly kind = "webgl";
  readonly #splat: Program;
  readonly #colour: Program;
  readonly #colours: WebGLTexture;
  readonly #buffers = new Map<Block, BlockBuffer>();
  readonly #largestPoint: number;
  #table: { look: Look } | null = null;
  #fence: WebGLSync | null = null;
  #turns = 0; // since the last slice was handed over
  #slice = FIRST_SLICE_ROWS;
  #left = 0; // of this turn's slice

  constructor(
    readonly gl: WebGL2RenderingContext,
    readonly screen: HTMLCanvasElement,
    readonly depth: Depth,
  ) {
    this.#splat = new Program(gl, SPLAT_VERTEX, SPLAT_FRAGMENT);
    this.#colour = new Program(gl, COLOUR_VERTEX, COLOUR_FRAGMENT);
    this.#colours = texture(gl);
    this.#largestPoint = (gl.getParameter(gl.ALIASED_POINT_SIZE_RANGE) as Float32Array)[1]!;
  }

  finestPixelNm(field: Field): number {
    const perCameraPixel = (this.#largestPoint - 1) / (2 * RADIUS_SIGMAS);
    return field.pixelSizeNm / Math.max(1, Math.min(FINEST_PER_CAMERA_PIXEL, perCameraPixel));
  }

  begin(grid: Grid, field: Field): WebglPainting {
    return new WebglPainting(this, grid, field);
  }

  beginTurn(): void {
    const { gl } = this;
    this.#left = 0;
    if (this.#fence !== null) {
      this.#turns++;
      if (gl.clientWaitSync(this.#fence, 0, 0) === gl.TIMEOUT_EXPIRED) return;
      gl.deleteSync(this.#fence);
      this.#fence = null;
      const factor = this.#turns <= 1 ? 2 : this.#turns >= SLOW_TURNS ? 0.5 : 1;
      this.#slice = Math.min(LARGEST_SLICE_ROWS, Math.max(SMALLEST_SLICE_ROWS, this.#slice * factor));
    }
    this.#left = this.#slice;
  }

  allowance(): number {
    return this.#left;
  }

  endTurn(): void {
    const { gl } = this;
    if (this.#left === this.#slice || this.#fence !== null) return; // nothing was drawn
    this.#fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    this.#turns = 0;
    gl.flush();
  }

  reordered(block: Block): void {
    const buffer = this.#buffers.get(block);
    if (buffer !== undefined) buffer.uploaded = 0;
  }

  keepOnly(blocks: readonly Block[]): void {
    const kept = new Set(blocks);
    for (const [block, buffer] of this.#buffers) {
      if (kept.has(block)) continue;
      buffer.release();
      this.#buffers.delete(block);
    }
  }

  /** Draws into the bound framebuffer. */
  splat(block: Block, rows: Range, uniforms: (program: Program) => void): void {
    const { gl } = this;
    let buffer = this.#buffers.get(block);
    if (buffer === undefined) {
      buffer = new BlockBuffer(gl);
      this.#buffers.set(block, buffer);
    }
    buffer.bind(block);
    gl.useProgram(this.#splat.handle);
    uniforms(this.#splat);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE);
    gl.drawArrays(gl.POINTS, rows.from, rows.to - rows.from);
    gl.bindVertexArray(null);
    this.#left = Math.max(0, this.#left - (rows.to - rows.from));
  }

  /** Colours an image and puts it on a canvas of its size. */
  show(
    image: WebGLTexture,
    { width, height }: Grid,
    look: Look,
    white: number,
    target: CanvasRenderingContext2D,
  ): void {
    const { gl, screen } = this;
    if (screen.width < width) screen.width = width;
    if (screen.height < height) screen.height = height;
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.viewport(0, screen.height - height, width, height);
    gl.disable(gl.BLEND);
    gl.useProgram(this.#colour.handle);
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, this.#colours);
    if (this.#table?.look !== look) {
      const words = new Uint8Array(colourTable(look).buffer);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, LEVELS, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, words);
      this.#table = { look };
    }
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, image);
    gl.uniform1i(this.#colour.place("image"), 0);
    gl.uniform1i(this.#colour.place("colours"), 1);
    gl.uniform1f(this.#colour.place("levels_per_unit"), brightnessScale(white));
    gl.uniform1i(this.#colour.place("top_row"), screen.height - 1);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    target.drawImage(screen, 0, 0, width, height, 0, 0, width, height);
  }
}

class WebglPainting implements Painting {
  readonly canvas = document.createElement("canvas");
  readonly #image: WebGLTexture;
  readonly #target: WebGLFramebuffer;
  readonly #context: CanvasRenderingContext2D;

  constructor(
    private readonly painter: WebglPainter,
    readonly grid: Grid,
    private readonly field: Field,
  ) {
    const { gl } = painter;
    this.canvas.width = grid.width;
    this.canvas.height = grid.height;
    const context = this.canvas.getContext("2d", { alpha: false });
    if (context === null) throw new Error("this browser draws no canvas");
    this.#context = context;
    this.#image = texture(gl);
    gl.texStorage2D(gl.TEXTURE_2D, 1, gl[painter.depth], grid.width, grid.height);
    this.#target = gl.createFramebuffer();
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.#target);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, this.#image, 0);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
  }

  add(block: Block, rows: Range, filter: Filter): void {
    const { gl } = this.painter;
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.#target);
    gl.viewport(0, 0, this.grid.width, this.grid.height);
    this.painter.splat(block, rows, (program) => this.#setUniforms(program, filter));
  }

  values(): Float32Array {
    const { gl } = this.painter;
    const { width, height } = this.grid;
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.#target);
    const isSingle = gl.getParameter(gl.IMPLEMENTATION_COLOR_READ_FORMAT) === gl.RED && this.painter.depth === "R32F";
    if (isSingle) {
      const values = new Float32Array(width * height);
      gl.readPixels(0, 0, width, height, gl.RED, gl.FLOAT, values);
      return values;
    }
    const values = new Float32Array(4 * width * height); // what every card can do
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.FLOAT, values);
    return values.filter((_, place) => place % 4 === 0);
  }

  colour(look: Look, white: number): void {
    this.painter.show(this.#image, this.grid, look, white, this.#context);
  }

  release(): void {
    const { gl } = this.painter;
    gl.deleteFramebuffer(this.#target);
    gl.deleteTexture(this.#image);
    this.canvas.width = 0;
  }

  #setUniforms(program: Program, { frames, photons, precisionNm }: Filter): void {
    const { gl } = this.painter;
    const { grid, field } = this;
    const scale = field.pixelSizeNm / grid.pixelNm;
    gl.uniform1f(program.place("pixel_nm"), grid.pixelNm);
    gl.uniform1f(program.place("corner_nm"), field.pixelSizeNm / 2);
    gl.uniform1f(program.place("max_sigma"), maxSigmaPx(field, grid.pixelNm));
    gl.uniform2f(program.place("field"), field.widthPx * scale, field.heightPx * scale);
    gl.uniform2f(program.place("origin"), grid.left, grid.top);
    gl.uniform2f(program.place("size"), grid.width, grid.height);
    gl.uniform2ui(program.place("frame_range"), wholeFrame(frames.from), wholeFrame(frames.to - 1));
    gl.uniform2f(program.place("photon_range"), finite(photons.from), finite(photons.to));
    gl.uniform2f(program.place("precision_range"), finite(precisionNm.from), finite(precisionNm.to));
  }
}

/** One block's columns on the card, one after another. */
class BlockBuffer {
  uploaded = 0;
  readonly #buffer: WebGLBuffer;
  readonly #layout: WebGLVertexArrayObject;

  constructor(private readonly gl: WebGL2RenderingContext) {
    this.#buffer = gl.createBuffer();
    this.#layout = gl.createVertexArray();
    gl.bindVertexArray(this.#layout);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.#buffer);
    gl.bufferData(gl.ARRAY_BUFFER, COLUMNS.length * 4 * BLOCK_ROWS, gl.DYNAMIC_DRAW);
    COLUMNS.forEach((name, place) => {
      gl.enableVertexAttribArray(place);
      const offset = place * 4 * BLOCK_ROWS;
      if (name === "frame") gl.vertexAttribIPointer(place, 1, gl.UNSIGNED_INT, 0, offset);
      else gl.vertexAttribPointer(place, 1, gl.FLOAT, false, 0, offset);
    });
  }

  /** With all of the block's rows. */
  bind(block: Block): void {
    const { gl } = this;
    gl.bindVertexArray(this.#layout);
    if (this.uploaded === block.count) return;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.#buffer);
    COLUMNS.forEach((name, place) => {
      const rows = block[name].subarray(this.uploaded, block.count);
      const comparable = name === "precision_nm" ? (rows as Float32Array).map(knownPrecision) : rows;
      gl.bufferSubData(gl.ARRAY_BUFFER, 4 * (place * BLOCK_ROWS + this.uploaded), comparable);
    });
    this.uploaded = block.count;
  }

  release(): void {
    this.gl.deleteBuffer(this.#buffer);
    this.gl.deleteVertexArray(this.#layout);
  }
}

class Program {
  readonly handle: WebGLProgram;
  readonly #places = new Map<string, WebGLUniformLocation | null>();

  constructor(
    private readonly gl: WebGL2RenderingContext,
    vertex: string,
    fragment: string,
  ) {
    this.handle = gl.createProgram();
    for (const [kind, source] of [
      [gl.VERTEX_SHADER, vertex],
      [gl.FRAGMENT_SHADER, fragment],
    ] as const) {
      const shader = gl.createShader(kind);
      if (shader === null) continue; // the context was lost; linking fails below
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(this.handle, shader);
    }
    gl.linkProgram(this.handle);
    if (!gl.getProgramParameter(this.handle, gl.LINK_STATUS) && !gl.isContextLost()) {
      throw new Error(`a program for the graphics card is wrong: ${gl.getProgramInfoLog(this.handle)}`);
    }
  }

  place(name: string): WebGLUniformLocation | null {
    if (!this.#places.has(name)) this.#places.set(name, this.gl.getUniformLocation(this.handle, name));
    return this.#places.get(name) ?? null;
  }
}

/** Whose pixels are read one by one. */
function texture(gl: WebGL2RenderingContext): WebGLTexture {
  const made = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, made);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
  return made;
}

const LARGEST = 3e38;

/** Cards compare with numbers only. */
function finite(bound: number): number {
  return Math.min(LARGEST, Math.max(-LARGEST, bound));
}

function wholeFrame(bound: number): number {
  return Math.min(0xffffffff, Math.max(0, bound));
}

/** A precision that is not known is drawn as wide as any. */
function knownPrecision(precisionNm: number): number {
  return Number.isNaN(precisionNm) ? LARGEST : precisionNm;
}
