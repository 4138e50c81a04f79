/** One batch: its acquisitions, all its results in one file, and its end. */
import type { BatchDetail, BatchMember } from "../generated/models";
import { confirmed, openDialog } from "../app/dialog";
import { button, element } from "../app/dom";
import { PageError } from "../app/errors";
import { icon } from "../app/icons";
import type { Page } from "../app/page";
import { fragmentOf } from "../app/places";
import { recordingWord } from "../app/states";
import { texts } from "../app/texts";
import { toast } from "../app/toast";
import { count } from "../viewer/figures";

const words = texts.batch;

export async function showBatch(page: Page, id: string): Promise<void> {
  try {
    open(page, await page.api.batch(id));
  } catch (error) {
    if (!(error instanceof PageError)) throw error;
    toast(error.message);
  }
}

function open(page: Page, batch: BatchDetail): void {
  const list = element("ul", { class: "choices" });
  const actions = element("div", { class: "actions" });
  const dialog = openDialog(batch.name, list, actions);
  list.append(...batch.acquisitions.map((member) => entry(member, () => dialog.close())));
  const remove = button(icon("trash"), {}, () => {
    dialog.close();
    return removeAfterQuestion(page, batch);
  });
  remove.append(words.delete);
  actions.append(remove);
  if (!batch.acquisitions.some(({ state }) => state === "finished")) return;
  const archive = element("a", { class: "button primary", href: page.api.batchArchiveUrl(batch.id), download: "" });
  archive.append(icon("download"), words.archive);
  actions.append(archive);
}

function entry({ id, name, state, localizations, error }: BatchMember, close: () => void): HTMLElement {
  const detail = error ?? texts.tileCount(count(localizations));
  const link = element(
    "a",
    { class: "choice", href: fragmentOf({ page: "view", id }) },
    element("strong", {}, name),
    element("span", { class: "state", "data-state": state }, recordingWord(state)),
    element("span", { class: "entry-detail" }, detail),
  );
  link.addEventListener("click", close);
  return element("li", {}, link);
}

async function removeAfterQuestion(page: Page, { id, name, acquisitions }: BatchDetail): Promise<void> {
  const question = words.deleteQuestion(name, acquisitions.length);
  if (!(await confirmed(texts.deleteHeading, question, texts.deleteNow))) return;
  try {
    await page.api.deleteBatch(id);
    toast(texts.deletedNow);
  } catch (error) {
    if (!(error instanceof PageError)) throw error;
    toast(error.message);
  }
}
