/**
 * The active square: the part of the camera's picture that is encoded, so that all bitrate goes to it. Always whole
 * sensor pixels, never rescaled; in camera pixels, row 0 is the top.
 */
export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Square {
  readonly x: number;
  readonly y: number;
  readonly side: number;
}

const SIDES = [128, 256, 512, 768, 1024] as const;
export const DEFAULT_SIDE = 512;
/** Encoders work in blocks of sixteen; a side that is none of theirs is padded and cropped again. */
const BLOCK = 16;

/** The sides to choose from; one at least, however small the camera's picture is. */
export function sidesFor(frame: Size): readonly number[] {
  const shorter = Math.min(frame.width, frame.height);
  const fitting = SIDES.filter((side) => side <= shorter);
  const largest = Math.max(BLOCK, Math.floor(shorter / BLOCK) * BLOCK);
  return fitting.length > 0 && largest - fitting.at(-1)! < 64 ? fitting : [...fitting, largest];
}

/** In the middle of the picture; the largest side that fits where the wanted one does not. */
export function centred(frame: Size, wanted: number): Square {
  const sides = sidesFor(frame);
  const side = sides.filter((each) => each <= wanted).at(-1) ?? sides[0]!;
  return within(frame, { x: (frame.width - side) / 2, y: (frame.height - side) / 2, side });
}

/** The nearest place at which the square lies wholly in the picture, on even pixels: colour has half the resolution. */
export function within(frame: Size, { x, y, side }: Square): Square {
  const clamp = (value: number, most: number) => Math.max(0, Math.min(2 * Math.round(value / 2), most - (most % 2)));
  return { x: clamp(x, frame.width - side), y: clamp(y, frame.height - side), side };
}

export function moved(frame: Size, square: Square, dx: number, dy: number): Square {
  return within(frame, { ...square, x: square.x + dx, y: square.y + dy });
}

/** Of another side, about the same middle. */
export function resized(frame: Size, square: Square, side: number): Square {
  const shift = (square.side - side) / 2;
  return within(frame, { x: square.x + shift, y: square.y + shift, side });
}

/** Where a square that was chosen for one picture lies in another, of another size. */
export function fitted(frame: Size, square: Square): Square {
  return sidesFor(frame).includes(square.side) ? within(frame, square) : centred(frame, square.side);
}

/**
 * Where a square of the picture that people see lies in the frame as the sensor gives it, which may have to be turned
 * clockwise by so many degrees to become that picture.
 */
export function onSensor(frame: Size, square: Square, rotation: number): Square {
  const { x, y, side } = square;
  switch (((rotation % 360) + 360) % 360) {
    case 90:
      return within(frame, { x: y, y: frame.height - side - x, side });
    case 180:
      return within(frame, { x: frame.width - side - x, y: frame.height - side - y, side });
    case 270:
      return within(frame, { x: frame.width - side - y, y: x, side });
    default:
      return within(frame, square);
  }
}
