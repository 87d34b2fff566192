/** Owns the bytes of attachments: kept in memory up to a bound, the oldest go first. */
import type { UploadedFile } from '../protocol/rest/router.js';

/** Bytes kept at once. */
const MAX_KEPT_BYTES = 64 * 1024 * 1024;

/** Files by attachment id. */
export class FileStore {
  private readonly files = new Map<string, UploadedFile>();
  private size = 0;

  add(attachmentId: string, file: UploadedFile): void {
    this.files.set(attachmentId, file);
    this.size += file.bytes.byteLength;
    for (const [id, { bytes }] of this.files) {
      if (this.size <= MAX_KEPT_BYTES || this.files.size === 1) return;
      this.files.delete(id);
      this.size -= bytes.byteLength;
    }
  }

  get(attachmentId: string): UploadedFile | undefined {
    return this.files.get(attachmentId);
  }
}
