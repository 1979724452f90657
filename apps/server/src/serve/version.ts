/** The version of this server, of the agent that it hands out, and of the task catalogue that both carry. */
export const serverVersion = '0.1.0';
