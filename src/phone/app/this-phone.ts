/** What is known of the phone that this page runs on. */
export interface ThisPhone {
  /** A first suggestion for the device's name. */
  readonly name: string;
  /** System and browser, for the account's list of devices. */
  readonly platform: string;
  readonly ios: boolean;
  /** Runs from the home screen. */
  readonly installed: boolean;
}

interface UserAgentData {
  getHighEntropyValues(hints: string[]): Promise<{ model?: string; platform?: string; platformVersion?: string }>;
}

/** Describes this phone from what its browser tells; all of it is only for people to recognise it by. */
export async function thisPhone(): Promise<ThisPhone> {
  const agent = navigator.userAgent;
  const data = (navigator as unknown as { userAgentData?: UserAgentData }).userAgentData;
  const hints = await data?.getHighEntropyValues(['model', 'platform']).catch(() => undefined);
  // An iPad says that it is a Mac, and gives itself away by its touch screen.
  const ios = /iPhone|iPad|iPod/.test(agent) || (agent.includes('Macintosh') && navigator.maxTouchPoints > 1);
  const system = hints?.platform || systemOf(agent, ios);
  // Reduced user agents call every Android phone "K".
  const model = hints?.model || /Android [\d.]+; ([^;)]{2,40}?)(?: Build\/[^;)]*)?[;)]/.exec(agent)?.[1];
  const browser = browserOf(agent);
  return {
    name: (model ?? (ios ? (agent.includes('iPhone') ? 'iPhone' : 'iPad') : `${browser} (${system})`)).slice(0, 60),
    platform: `${system}, ${browser}`.slice(0, 60),
    ios,
    installed: matchMedia('(display-mode: standalone)').matches,
  };
}

function systemOf(agent: string, ios: boolean): string {
  if (ios) return 'iOS';
  return ['Android', 'Windows', 'CrOS', 'Macintosh', 'Linux'].find((name) => agent.includes(name)) ?? 'Web';
}

function browserOf(agent: string): string {
  if (/Firefox\/|FxiOS\//.test(agent)) return 'Firefox';
  if (/Edg(A|iOS)?\//.test(agent)) return 'Edge';
  if (agent.includes('SamsungBrowser/')) return 'Samsung Internet';
  if (/Chrome\/|CriOS\//.test(agent)) return 'Chrome';
  return agent.includes('Safari/') ? 'Safari' : 'Browser';
}
