/** What an acquisition can be compared with: others that have an image of the same pixel size. */
import type { Acquisition } from "../generated/models";
import { isSameRecording } from "./numbers";

/** What was made of the same recording comes first, else in the order that they have. */
export function candidatesFor(acquisition: Acquisition, all: readonly Acquisition[]): Acquisition[] {
  const fitting = all.filter(
    (other) =>
      other.id !== acquisition.id &&
      other.localizations > 0 &&
      other.settings.pixel_size_nm === acquisition.settings.pixel_size_nm,
  );
  const isOurs = (other: Acquisition) => isSameRecording(acquisition, other);
  return [...fitting.filter(isOurs), ...fitting.filter((other) => !isOurs(other))];
}
