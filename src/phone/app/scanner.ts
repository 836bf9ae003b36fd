import { prepareZXingModule, readBarcodes } from 'zxing-wasm/reader';

/** Why there is no picture. */
export type CameraProblem = 'refused' | 'missing';

export class CameraError extends Error {
  override readonly name = 'CameraError';
  readonly problem: CameraProblem;

  constructor(problem: CameraProblem, cause?: unknown) {
    super(`the camera is ${problem}`, { cause });
    this.problem = problem;
  }
}

interface Detector {
  detect(source: HTMLVideoElement): Promise<Array<{ rawValue: string }>>;
}
interface DetectorClass {
  new (options: { formats: string[] }): Detector;
  getSupportedFormats(): Promise<string[]>;
}

/** Longest side of the picture that the fallback looks at, in pixels: enough for a code across a third of it. */
const PICTURE = 960;
const PAUSE = 80;

/**
 * Films with the rear camera into `video` and tells the text of every QR code that it sees, until stopped.
 *
 * @param reader where the QR reader's WebAssembly is, for browsers without a BarcodeDetector
 * @throws {CameraError}
 */
export async function startScanner(video: HTMLVideoElement, reader: string, found: (text: string) => void): Promise<{ stop(): void }> {
  const stream = await openCamera();
  let running = true;
  const stop = () => {
    running = false;
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
  };
  try {
    video.srcObject = stream;
    await video.play();
    const read = (await nativeReader()) ?? fallbackReader(reader);
    void (async () => {
      while (running) {
        const texts = video.videoWidth > 0 ? await read(video).catch(() => []) : [];
        if (running) texts.forEach(found);
        await new Promise((resolve) => setTimeout(resolve, PAUSE));
      }
    })();
  } catch (error) {
    stop();
    throw new CameraError('missing', error);
  }
  return { stop };
}

async function openCamera(): Promise<MediaStream> {
  try {
    return await navigator.mediaDevices.getUserMedia({
      video: { facingMode: { ideal: 'environment' }, width: { ideal: 1280 }, height: { ideal: 1280 } },
      audio: false,
    });
  } catch (error) {
    throw new CameraError((error as DOMException).name === 'NotAllowedError' ? 'refused' : 'missing', error);
  }
}

type Reader = (video: HTMLVideoElement) => Promise<string[]>;

async function nativeReader(): Promise<Reader | undefined> {
  const { BarcodeDetector } = globalThis as unknown as { BarcodeDetector?: DetectorClass };
  const formats = (await BarcodeDetector?.getSupportedFormats().catch(() => [])) ?? [];
  if (!BarcodeDetector || !formats.includes('qr_code')) return undefined;
  const detector = new BarcodeDetector({ formats: ['qr_code'] });
  return async (video) => (await detector.detect(video)).map(({ rawValue }) => rawValue);
}

function fallbackReader(url: string): Reader {
  // By default the library fetches its WebAssembly from a public CDN; ours comes from our own origin.
  void prepareZXingModule({ overrides: { locateFile: () => url }, fireImmediately: true });
  const canvas = document.createElement('canvas');
  const context = canvas.getContext('2d', { willReadFrequently: true });
  return async (video) => {
    const scale = Math.min(1, PICTURE / Math.max(video.videoWidth, video.videoHeight));
    canvas.width = Math.round(video.videoWidth * scale);
    canvas.height = Math.round(video.videoHeight * scale);
    if (!context) return [];
    context.drawImage(video, 0, 0, canvas.width, canvas.height);
    const picture = context.getImageData(0, 0, canvas.width, canvas.height);
    const results = await readBarcodes(picture, { formats: ['QRCode'], maxNumberOfSymbols: 1, tryHarder: true });
    return results.filter(({ isValid }) => isValid).map(({ text }) => text);
  };
}
