/** What an alert says in words, and why one was not sent, as the service's own messages put it. Pure. */
import { formatAge, formatUsd, words } from './format';
import type { Alert } from './types/live';

const KINDS: Record<string, string> = {
  STOP_HUNT: 'Liquidation cascade',
  ACCUMULATION: 'Accumulation',
  DISTRIBUTION: 'Distribution',
  WHALE_ACCUMULATION: 'Whale accumulation',
  WHALE_DISTRIBUTION: 'Whale distribution',
  VOLUME_SPIKE: 'Volume spike',
  WHALE_POSITION: 'Whale position',
  FUNDING_EXTREME: 'Funding extreme',
  OI_SPIKE: 'Open interest spike',
  LIQUIDATION_ZSCORE: 'Unusual liquidations',
  HEATMAP: 'Heatmap level',
};

const PHASES: Record<string, string> = {
  building: 'still building',
  peak: 'past its peak',
  reclaim: 'price reclaimed the range',
  continuation: 'went on without a reclaim',
  ended: 'over without a verdict',
};

const DROPS: Record<string, string> = {
  no_price: 'no valid price',
  bad_levels: 'its levels were not valid',
  not_watched: 'coin not watched',
  muted: 'muted',
  context: 'market context against it',
  low_confidence: 'confidence too low',
  below_threshold: 'below the threshold of the chat',
  no_change: 'said before, nothing new',
  flip: 'the opposite was said less than a minute before',
  expired: 'too old to act on',
  quiet_hours: 'quiet hours',
  hourly_cap: 'hourly cap reached',
  no_chat: 'no chat takes this kind',
};

export function kindText(kind: string): string {
  const known = KINDS[kind];
  if (known) return known;
  const text = words(kind);
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function phaseText(phase: string): string {
  return PHASES[phase] ?? words(phase);
}

export function dropText(reason: string): string {
  return DROPS[reason] ?? words(reason);
}

function sizeText(alert: Alert): string {
  if (!alert.usd) return '';
  const usd = formatUsd(alert.usd);
  if (alert.side) return `${usd} of ${alert.side.toLowerCase()}s liquidated`;
  return usd;
}

/** The facts behind the kind: size, window, phase. */
export function alertDetail(alert: Alert): string {
  const window = alert.windowS ? `in ${formatAge(alert.windowS)}` : '';
  const size = [sizeText(alert), window].filter(Boolean).join(' ');
  return [size, alert.phase ? phaseText(alert.phase) : ''].filter(Boolean).join(', ');
}
