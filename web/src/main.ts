import './styles/tokens.css';
import './styles/base.css';
import './styles/parts.css';

import { createApp } from 'vue';

import App from './App.vue';
import { router } from './router';
import { loadSession } from './session';
import { applyTheme } from './theme';

applyTheme();
void loadSession();
createApp(App).use(router).mount('#app');
