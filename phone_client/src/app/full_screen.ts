/** Full screen where the browser has it: iPhones give it to videos alone. */
export function canFillScreen(): boolean {
  return document.fullscreenEnabled === true; // missing there
}

/** Into full screen, or out of it. */
export async function toggleFullScreen(root: HTMLElement): Promise<void> {
  if (!canFillScreen()) return;
  if (document.fullscreenElement === null) await root.requestFullscreen();
  else await document.exitFullscreen();
}
