import { describe, expect, it } from 'vitest';
import { shallowRef } from 'vue';

import { useAwake } from './awake';

const event = (skipped: boolean) => Object.assign(new Event('contentvisibilityautostatechange'), { skipped });

describe('useAwake', () => {
  it('follows while awake, keeps what it had asleep, and catches up at once', () => {
    const source = shallowRef(1);
    const { note, held } = useAwake();
    const shown = held(source);
    expect(shown.value).toBe(1);
    source.value = 2;
    expect(shown.value).toBe(2);
    note(event(true));
    expect(shown.value).toBe(2);
    source.value = 3;
    expect(shown.value).toBe(2);
    note(event(false));
    expect(shown.value).toBe(3);
  });

  it('has a first value even where it begins asleep', () => {
    const { note, held } = useAwake();
    note(event(true));
    expect(held(shallowRef('a')).value).toBe('a');
  });
});
